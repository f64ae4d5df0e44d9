"""Write detreduce/reducers/catalogue.json anew from what the classes of the methods declare."""

from __future__ import annotations

from detreduce.reducers.catalogue import FILE, made_anew

if __name__ == "__main__":
    FILE.write_text(made_anew(), encoding="utf-8")
    print(FILE)
