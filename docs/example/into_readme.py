"""Put the tables of the example runs between their marks in the README."""

import re
from pathlib import Path

HERE = Path(__file__).parent
README = HERE.parents[1] / "README.md"

text = README.read_text("utf-8")
for name in ("ranking", "regret"):
    table = (HERE / f"{name}.md").read_text("utf-8")
    marked = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    text = marked.sub(lambda match, table=table: match[1] + "\n" + table + "\n" + match[2], text)
README.write_text(text, "utf-8")
