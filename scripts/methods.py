"""Write all files that are generated from the classes of the methods. Run it after you have added or changed a method.

    python scripts/methods.py

It writes detreduce/reducers/catalogue.json, the pages docs/methods/NAME.md and index.md, the pictures
docs/methods/NAME.png, the list of pages in mkdocs.yml, and the experiment's schema.
"""

from __future__ import annotations

from pictures import methods as pictures

from detreduce.reducers.catalogue import FILE, catalogue_text
from docs import experiment
from docs import methods as texts


def main() -> None:
    FILE.write_text(catalogue_text(), encoding="utf-8")
    texts.main()
    experiment.main()
    pictures.main([])


if __name__ == "__main__":
    main()
