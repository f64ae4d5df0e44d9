"""Let every parser read damaged files: `python scripts/torture/fuzz`.

Each input is a small valid file that was damaged in a few places. Bytes are changed, cut, doubled or mixed with another
file. Numbers, texts and parts of JSON, YAML, XML and arrays are replaced by extreme values. The parser runs in a worker
process. It must return a result or raise an error of detreduce, within 5 seconds of processor time and 1 GB of memory.
Every warning must be a warning class of detreduce. Each fault is printed with the number of its input. `--only` makes
the input with this number again.

    python scripts/torture/fuzz                             # 10,000 inputs for each parser
    python scripts/torture/fuzz coco voc --inputs 1000      # fewer inputs, for some parsers
    python scripts/torture/fuzz coco --only 17 --save bad   # input 17 of a parser again, with its traceback
    python scripts/torture/fuzz --short                     # 100 inputs for each parser, as in the tests
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from fuzz.campaign import INPUTS, SHORT_INPUTS, again, main
from fuzz.parsers import parsers

if __name__ == "__main__":
    known = [parser.name for parser in parsers()]
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("names", nargs="*", metavar="PARSER", help=f"default: all of {', '.join(known)}")
    arguments.add_argument("--short", action="store_true", help=f"{SHORT_INPUTS} inputs for each parser")
    arguments.add_argument("--inputs", type=int, help=f"inputs for each parser; default: {INPUTS:,}")
    arguments.add_argument("--first", type=int, default=0, help="number of the first input; default: 0")
    arguments.add_argument("--only", type=int, metavar="NUMBER", help="read this input of one parser only")
    arguments.add_argument("--save", type=Path, metavar="FILE", help="with --only, write the input to this file")
    options = arguments.parse_args()
    if unknown := set(options.names) - set(known):
        arguments.error(f"unknown parsers: {', '.join(sorted(unknown))}. Use {', '.join(known)}")
    if options.only is not None:
        if len(options.names) != 1:
            arguments.error("--only needs one parser")
        sys.exit(again(options.names[0], options.only, options.save))
    found = main(options.short, options.names, options.inputs, options.first)
    print("\n".join(found))
    sys.exit(1 if found else 0)
