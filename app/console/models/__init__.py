"""The models: what is served and how good it is; versions, gate decisions, promotion and roll-back."""
