"""What the project's own people run: validators over whole deployments, the demo, generators of data and documents."""
