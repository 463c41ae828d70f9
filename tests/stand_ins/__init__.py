"""What the shipped recipes name, small and made by us, on the loopback hub: under the same names, of the same form.

missing(recipe)                 what has no stand-in, and which table is to be extended
serve(recipe, hub, folder)      its checkpoint and its data set are there, at the revision that it asks for
"""

from stand_ins.serve import missing, serve

__all__ = ["missing", "serve"]
