"""A web application in two regions: orders are stored where the writer is, and shown from the nearest copy.

`web` answers requests, `page` makes the HTML, `store` talks to PostgreSQL, `migrate` prepares its tables.
"""

import sys
from pathlib import Path

# The bundle carries its dependencies; on a developer's machine the folder is not there and the environment has them.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "vendor"))
