"""Every picture of the console as a Vega-Lite specification; no page draws for itself."""
