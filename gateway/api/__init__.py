"""The gateway's own routes: what lies under its prefixes is answered here or is 404, and never forwarded.

How to add a route to the billing API:

1. Write what it does in ``gateway/billing`` (no HTTP there) on rows of ``gateway/store``.
2. In a module of this package write models (``fields.Said`` comes in, ``fields.Told`` goes out, a query is a ``Said``
   of ``Asked…`` types, a page of a table extends ``lists.ListQuery``) and handlers::

       async def get_plan(call: Call, desk: Desk) -> Reply:
           '''One plan.'''                                  # the summary in the OpenAPI document
           row = await plans.get(desk.store, call.params["plan_id"])
           return Reply(told(row), revision=row.revision)   # ETag and If-None-Match follow from it

   ``call.query(Model)``, ``call.body(Model)``, ``call.raw``, ``call.params`` are what came, checked already;
   ``call.caller`` is who sent it (``scope``: the workspace if one was named and admitted, else the user;
   ``await is_admin()``); ``call.mandate`` is what an edit of the store wants, ``If-Match`` included.
   Whatever is refused is raised as a ``Problem``; it gets the configured shape on its way out.
3. Declare it in the module's ``ROUTES``, and add the module to ``table.py``::

       route("GET", "/plan/{plan_id}", get_plan, who=Who.USER, tells=Plan)

   ``who`` has no default. ``policy`` makes a route heed the workspace header: members only, with that policy.
   A list (``lists=True``) can be read as CSV; bytes (an HTML page, a file) say their ``type`` and ``media``.
4. What it needs beyond the store is a field of ``desk.Desk``, filled in ``gateway/own_routes.py``.

Routes are found whatever their case and with or without a slash at the end; they cost no units and have a rate of their
own; bodies are at most ``reading.BODY_BYTES``.
"""
