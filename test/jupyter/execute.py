"""Executes a notebook in place with nbclient, as `jupyter execute --inplace` of newer releases does."""
import sys

import nbformat
from nbclient import NotebookClient

path = sys.argv[1]
notebook = nbformat.read(path, 4)
client = NotebookClient(notebook, timeout=60)
try:
    client.execute()
finally:
    nbformat.write(notebook, path)
