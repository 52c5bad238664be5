"""The examples for clusters: their syntax, what they promise, and that every command in them is one of ours."""

import re
import shlex
import subprocess
from dataclasses import fields
from pathlib import Path
from typing import Any, cast

import pytest
from onnxray.scanner.executors.ray import Ray
from onnxray.scanner.registry import build

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"
SLURM, KUBERNETES, RAY = (EXAMPLES / name for name in ("slurm.sbatch", "kubernetes.yaml", "ray.md"))
PAGE = EXAMPLES.parent / "clusters.md"


def commands(text: str) -> list[str]:
    """Every call of onnxray in a script, its continued lines joined."""
    joined = re.sub(r"\\\n\s*", "", text)
    return re.findall(
        r"(?:^|[';&|] )[# ]*(onnxray (?:scan|results|explain|audit)\b[^|&;>'`#\n]*)", joined, re.MULTILINE
    )


def parsed(command: str) -> dict[str, Any]:
    """The innermost command's parameters, read as our command line reads them.

    Raises:
        click.ClickException: it does not understand them.
    """
    import rich_click as click
    from onnxray.scanner.cli.commands import main

    whole = re.sub(r"\$\(\((.*?)\)\)|\$\{?\w+\}?", "1", command.replace('"$SLURM_ARRAY_TASK_ID/$parts"', "3/16"))
    words = shlex.split(whole)[1:]
    context, found = click.Context(main), cast(click.Command, main)
    while isinstance(found, click.Group):
        name, inner, words = found.resolve_command(context, words)
        assert inner is not None, name
        found = inner
        if isinstance(found, click.Group) and not (words and words[0] in found.commands):
            break
    params: dict[str, Any] = found.make_context(found.name, words, parent=context).params
    return params


@pytest.mark.parametrize("path", [SLURM, KUBERNETES, RAY, PAGE], ids=lambda path: path.name)
def test_our_command_line_understands_every_command(path: Path) -> None:
    found = commands(path.read_text(encoding="utf-8"))
    assert len(found) >= 2
    for command in found:
        assert parsed(command), command
        build(Ray, dict(re.findall(r"--set ray\.(\w+)=(\S+)", command)))


def test_the_page_tells_every_option_of_ray_with_its_default() -> None:
    rows = re.findall(r"^\| `ray\.(\w+)` \| (\S+) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert build(Ray, {name: value.strip('"') for name, value in rows}) == Ray()
    assert [name for name, _ in rows] == [field.name for field in fields(Ray)]


def test_a_part_is_scanned_into_a_store_on_the_nodes_own_disk() -> None:
    for path in (SLURM, KUBERNETES):
        (scan,) = [c for c in commands(path.read_text(encoding="utf-8")) if c.startswith("onnxray scan")]
        flags = parsed(scan)
        assert flags["shard"][1] in (1, 16)
        assert flags["store"]
        assert flags["max_memory"] == 6 << 30


def test_the_slurm_script_is_sound_and_its_parts_are_all_of_the_array() -> None:
    assert subprocess.run(["bash", "-n", SLURM], capture_output=True).stderr == b""
    text = SLURM.read_text(encoding="utf-8")
    assert re.search(r"--array=1-(\d+)", text)[1] == re.search(r"^parts=(\d+)", text, re.MULTILINE)[1]  # type: ignore[index]


def test_the_kubernetes_job_is_indexed_and_may_do_little() -> None:
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    job, policy = yaml.safe_load_all(KUBERNETES.read_text(encoding="utf-8"))
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert (job["kind"], job["spec"]["completionMode"]) == ("Job", "Indexed")
    parts = {entry["name"]: entry["value"] for entry in container["env"]}["PARTS"]
    assert job["spec"]["completions"] == int(parts)
    assert "$((JOB_COMPLETION_INDEX + 1))/$PARTS" in container["args"][0]
    assert (container["image"], pod["automountServiceAccountToken"]) == ("IMAGE", False)
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip
    assert container["resources"]["limits"] == container["resources"]["requests"]
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert not {"ingress", "egress"} & set(policy["spec"])
    assert policy["spec"]["podSelector"]["matchLabels"] == job["spec"]["template"]["metadata"]["labels"]


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_the_pods_script_is_sound(shell: str) -> None:
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    job, _ = yaml.safe_load_all(KUBERNETES.read_text(encoding="utf-8"))
    script = job["spec"]["template"]["spec"]["containers"][0]["args"][0]
    assert subprocess.run([shell, "-n"], input=script.encode(), capture_output=True).stderr == b""
