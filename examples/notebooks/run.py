"""python run.py NOTEBOOK OUTPUT: runs a notebook with tslab, in this folder's packages, and writes it with its outputs."""

import sys

import nbformat
from nbclient import NotebookClient

source, target = sys.argv[1:]
notebook = nbformat.read(source, as_version=4)
NotebookClient(notebook, timeout=300, kernel_name="tslab").execute()
nbformat.write(notebook, target)
