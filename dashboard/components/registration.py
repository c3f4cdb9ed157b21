"""Scripts of our components, served from our own origin.

Streamlit loads inline component scripts from blob: addresses, which our Content-Security-Policy refuses; a
component with an asset folder is loaded from /_stcore/bidi-components instead. The folder is normally found
through the manifest of an installed package; ours is told to the running app directly, so that it works from
any kind of installation.
"""

from functools import cache
from pathlib import Path

from streamlit.components.v2 import component
from streamlit.components.v2.get_bidi_component_manager import get_bidi_component_manager
from streamlit.components.v2.manifest_scanner import ComponentConfig, ComponentManifest
from streamlit.components.v2.types import ComponentRenderer

NAMES = (
    "shelf",
    "own_lists",
    "list_desk",
    "list_menu",
    "ledger",
    "topbar",
    "book",
    "pager",
    "sign_in",
    "form",
    "welcome",
    "upload",
    "talk",
    "talk_kept",
    "directory",
    "reader",
    "finder",
    "choices",
    "records",
    "table",
)
_ROOT = Path(__file__).parent
_PROJECT = "openshelf"


@cache
def _renderer(name: str) -> ComponentRenderer:
    # Styles come from our one style sheet, so the component lives in the page, not in a shadow tree.
    return component(f"{_PROJECT}.{name}", js=f"{name}.js", isolate_styles=False)


def renderer(name: str) -> ComponentRenderer:
    """The function that draws this component in the running app."""
    manager = get_bidi_component_manager()
    if manager.get_component_path(f"{_PROJECT}.{name}") is None:
        manifest = ComponentManifest(_PROJECT, "1", [ComponentConfig(each, "js") for each in NAMES])
        manager.register_from_manifest(manifest, _ROOT)
        _renderer.cache_clear()
    return _renderer(name)
