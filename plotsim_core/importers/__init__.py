"""Files of other systems in the words of this language: a class for each system (`IMPORTERS`), and loading of such files.

May import: families, errors, run_files, version, numerics, arrow, config, plan, engine, columns, tables, rules.
"""

from plotsim_core.importers.document import converted, imported, importer_of
from plotsim_core.importers.importer import IMPORTERS, Imported, Importer, Note
from plotsim_core.importers.plotsim import EngineLayer

__all__ = ["IMPORTERS", "EngineLayer", "Imported", "Importer", "Note", "converted", "imported", "importer_of"]
