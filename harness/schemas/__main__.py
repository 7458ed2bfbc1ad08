"""Write the schemas that are made from models."""

from harness.schemas import FOLDER, generated, text_of

for name, schema in generated().items():
    (FOLDER / name).write_text(text_of(schema), encoding="utf-8")
