"""The clinical and mathematical core: vocabulary, risk models, bundles and the registry.

Nothing here knows of HTTP, of identifiers or of training; `models.registry` alone knows MLflow.
"""
