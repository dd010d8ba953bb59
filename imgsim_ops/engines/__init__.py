"""What turns pixels into vectors: one small class per runtime behind one protocol.

``model_files.engine.create_engine`` is the way in. Each runtime is imported only when its engine is created.
"""

ENGINES = ("onnx", "torch", "torchscript")
