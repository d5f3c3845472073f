"""Reference model API: serving, training and migrations of one MLflow model."""
