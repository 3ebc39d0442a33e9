"""Serving: the viewer's server, from its socket to Ctrl-C."""

import socket
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from safe_data.core.errors import InputError
from safe_data.core.interruption import interrupted_by_sigterm
from safe_data.core.terminal import say
from safe_eval.annotation.notes import NOTES_FILE, Notes
from safe_eval.viewer.answers import Answers
from safe_eval.viewer.export import export_page
from safe_eval.viewer.served import make_app, new_token
from safe_eval.viewer.viewed import open_runs

HOST = "127.0.0.1"
_GLANCE_SECONDS = 0.05


def view_runs(
    runs: Sequence[Path],
    *,
    shards: Path | None = None,
    port: int = 0,
    notes: Path | None = None,
    export: Path | None = None,
    force: bool = False,
    quiet: bool = False,
) -> Path | None:
    """Serve the viewer of some runs until Ctrl-C, or export it; return the page that was written.

    Args:
        runs: folders that `safe-eval score` wrote to
        shards: dataset with pictures and sounds (default: the first run's folder `shards`, if it exists)
        port: port to listen at; 0 takes a free one
        notes: file of notes (default: notes.json in the first run's folder)
        export: folder, or file that ends in .html, to write instead of serving
        force: replace an export that is there
        quiet: print the address alone

    Raises:
        InputError: see `open_runs`, `export_page` and `serve`; or the port is none.
    """
    if not 0 <= port < 2**16:
        raise InputError(f"port={port}: a port is 0 to 65535")
    viewed = open_runs(runs, shards)
    answers = Answers(viewed, Notes(Path(runs[0]) / NOTES_FILE if notes is None else notes))
    if export is not None:
        return export_page(answers, Path(export), force=force, quiet=quiet)
    serve(answers, port, quiet=quiet)
    return None


@interrupted_by_sigterm()
def serve(answers: Answers, port: int, *, quiet: bool = False) -> None:
    """Serve the viewer until Ctrl-C or SIGTERM.

    Raises:
        InputError: the port is taken.
    """
    import uvicorn

    answers.viewed.store.make_texts()  # so that the first search is as quick as the others
    token = new_token()
    config = uvicorn.Config(
        make_app(answers, token),
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    with _listening(port) as door:
        # Not in the main thread, whose signals are ours.
        running = threading.Thread(target=server.run, args=([door],), name="http", daemon=True)
        running.start()
        try:
            while not server.started and running.is_alive():
                time.sleep(_GLANCE_SECONDS)
            say(_opening(answers, door.getsockname()[1], token, quiet=quiet), flush=True)
            while running.is_alive():
                time.sleep(_GLANCE_SECONDS)
        except KeyboardInterrupt:
            pass  # this is how it is stopped
        finally:
            server.should_exit = True
            running.join()


def _listening(port: int) -> socket.socket:
    door = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind((HOST, port))
    except OSError as error:
        door.close()
        said = error.strerror or error
        raise InputError(f"port={port}: cannot be listened at: {said}; choose another --port") from None
    return door


def _opening(answers: Answers, port: int, token: str, *, quiet: bool) -> list[str]:
    address = f"http://{HOST}:{port}/{token}/"
    if quiet:
        return [address]
    viewed = answers.viewed
    lines = [f"{address}  shows {viewed.items:,} items, {len(viewed.arms)} arms; Ctrl-C stops"]
    # Whether they are those that were scored was checked when the runs were opened.
    gone = [str(file) for lines_of in viewed.lines for file in lines_of.files if not file.is_file()]
    if gone:
        lines.append(f"note: gone since it was scored, so no whole rows: {', '.join(gone)}")
    if viewed.shards is None:
        lines.append("note: no pictures and sounds; give their dataset with --shards")
    return lines
