"""The sample application, shipped as data: `init` copies `app/`, and nothing here is imported by the rest."""
