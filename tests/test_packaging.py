from configparser import ConfigParser
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = ("scanner", "converters", "kernels", "models")


def config() -> ConfigParser:
    parser = ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def test_setup_cfg_lists_every_package() -> None:
    listed = set(config()["options"]["packages"].split())
    found = {
        f"onnxray.{p.parent.relative_to(ROOT).as_posix().replace('/', '.')}"
        for folder in FOLDERS
        for p in (ROOT / folder).rglob("__init__.py")
    }
    assert found == listed


def test_every_room_says_that_it_is_typed() -> None:
    assert all((ROOT / folder / "py.typed").is_file() for folder in FOLDERS)


def test_constraints_pin_every_requirement() -> None:
    options = config()
    wanted = "\n".join([options["options"]["install_requires"], *options["options.extras_require"].values()])
    names = {line.split()[0] for line in wanted.splitlines() if line and not line.startswith(("#", "onnxray["))}
    pinned = {line.split("==")[0] for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line}
    assert names <= pinned


def test_no_package_is_installed_under_a_bare_name() -> None:
    assert all(name.startswith("onnxray.") for name in config()["options"]["packages"].split())
