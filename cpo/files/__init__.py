"""The stations' own HTTP edge: /files/<token>/<name>, where they fetch firmware and leave logs.

It stands in front of Django, because Django's handler reads the whole body of a request to disk before any view is
asked, without limits of size and time, and logs the path, token and all. Nothing here knows sessions or cookies.
`edge.py` is the door, `uploads.py` and `downloads.py` the two ways through it, `form.py` reads form bodies, `pace.py`
cuts off who is too slow. `attachment.py` hands files to operators, through their own views.
"""
