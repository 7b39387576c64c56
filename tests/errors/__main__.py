"""Print the file of a broken config, with the numbers of its lines: `python -m tests.errors NAME`."""

from __future__ import annotations

import sys

from tests.errors.cases import all_cases

if __name__ == "__main__":
    for case in all_cases():
        if case.name in sys.argv[1:]:
            for number, line in enumerate(case.config.decode(errors="replace").splitlines(), start=1):
                print(f"{number:3}  {line}")
            print(case.text, end="")
