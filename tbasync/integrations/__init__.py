"""What tbasync does with other packages. Nothing here imports one before it is asked for by name or called.

`lightning`, `transformers`, `accelerate` and `keras` are for users: each takes the place of the framework's own
way to log to TensorBoard, and imports the framework. The others serve the writer's methods, and import their
package only when they are called.
"""
