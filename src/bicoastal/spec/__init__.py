"""The user's file: `bicoastal.yaml`, its model, its reader and its JSON Schema."""
