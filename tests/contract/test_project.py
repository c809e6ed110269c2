"""What a newcomer finds: dependencies, pins, samples, make."""

import csv
import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CONSTRAINTS = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def name_of(requirement):
    return re.split(r"[\[<>=;~! ]", requirement)[0].lower()


def test_the_package_alone_brings_boto3_and_click_only():
    assert {name_of(each) for each in PROJECT["dependencies"]} == {"boto3", "click"}


def test_a_constraint_is_a_name_and_a_version_and_nothing_else():
    pins = [line for line in CONSTRAINTS if not line.startswith("#")]
    assert pins == sorted(pins)
    assert [
        pin for pin in pins if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9a-z.+!-]*", pin)
    ] == []


def test_every_dependency_that_make_installs_is_pinned():
    pinned = {line.split("==")[0] for line in CONSTRAINTS}
    extras = PROJECT["optional-dependencies"]
    wanted = {
        name_of(each)
        for extra, requirements in extras.items()
        for each in requirements
        if extra != "bench" and "win32" not in each
    } | {name_of(each) for each in PROJECT["dependencies"]}
    assert wanted - {"festival"} <= pinned


def test_a_pin_is_not_below_the_packages_own_minimum():
    pins = dict(line.split("==") for line in CONSTRAINTS if not line.startswith("#"))
    wanted = [
        Requirement(each)
        for each in [
            *PROJECT["dependencies"],
            *(each for extra in PROJECT["optional-dependencies"].values() for each in extra),
        ]
    ]
    outside = [
        f"{each}: pinned at {pins[each.name.lower()]}"
        for each in wanted
        if each.name.lower() in pins and not each.specifier.contains(pins[each.name.lower()])
    ]
    assert outside == []
    assert sum(each.name.lower() in pins for each in wanted) > 10


def test_make_and_the_schedule_take_every_python_that_the_package_takes():
    pythons = ["3.11", "3.12", "3.13"]
    taken = Requirement(f"festival{PROJECT['requires-python']}").specifier
    minors = [f"3.{minor}" for minor in range(8, 20)]
    assert [each for each in minors if taken.contains(each)] == pythons
    assert "(3, 11) <= sys.version_info < (3, 14)" in MAKEFILE
    template = (ROOT / "cloudformation" / "o240-stack.yaml").read_text(encoding="utf-8")
    assert f"AllowedValues: {json.dumps(pythons)}" in template


def test_make_test_runs_every_test():
    """No folder, mark or name is chosen for it, and pytest looks into all of tests."""
    said = subprocess.run(
        ["make", "-n", "test"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    (line,) = [line for line in said.stdout.splitlines() if "-m pytest" in line]
    arguments = line.split("-m pytest")[1].split()
    assert [each for each in arguments if "test" in each or each in ("-k", "-m")] == []
    assert [each for each in arguments if each.startswith(("--ignore", "--deselect"))] == []
    options = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pytest"]
    assert options["ini_options"]["testpaths"] == ["tests"]
    assert "ARGS" not in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_conda_installs_what_make_installs():
    environment = (ROOT / "environment.yml").read_text(encoding="utf-8")
    assert "python=3.12" in environment
    assert "-c constraints.txt" in environment and "-c constraints.txt" in MAKEFILE
    assert "-e .[dev]" in environment and "-e '.[demo,$*]'" in MAKEFILE
    installed = set(re.findall(r"^\w+: \.venv/\.(\w+)$", MAKEFILE, re.MULTILINE))
    assert installed == {"demo", "test", "lint", "lab", "bench"}
    assert installed - {"bench"} <= with_theirs("dev")


def with_theirs(extra):
    """An extra and those that it names, and so on."""
    named = re.findall(r"festival\[(.+?)\]", " ".join(PROJECT["optional-dependencies"][extra]))
    return {extra}.union(*(with_theirs(each) for each in ",".join(named).split(",") if each))


def test_a_demo_brings_no_jupyterlab_and_no_tool_of_a_developer():
    brought = {
        name_of(requirement)
        for extra in with_theirs("demo")
        for requirement in PROJECT["optional-dependencies"][extra]
    }
    assert brought.isdisjoint({"jupyterlab", "pytest", "hypothesis", "ruff", "mypy", "cfn-lint"})
    assert {"pandas", "moto", "papermill", "ipykernel"} <= brought


@pytest.mark.parametrize("target", ["demo", "test", "lint", "lab", "bench", "soak"])
def test_make_has_the_targets_that_it_names(target):
    assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE)
    assert f'"make {target} ' in MAKEFILE


def test_ci_runs_what_the_readme_says():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "make test" in script and "make lint" in script


def test_ci_fails_where_only_lint_failed(tmp_path):
    """A make that fails at lint and passes the tests, in front of the real one."""
    make = tmp_path / "make"
    make.write_text('#!/bin/sh\n[ "$1" = test ]\n', encoding="utf-8")
    make.chmod(0o755)
    done = subprocess.run(
        ["bash", ROOT / ".ci" / "run"], env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, check=False
    )
    assert done.returncode == 1


def sample_rows():
    with (ROOT / "sample" / "sample.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_sample_is_a_festival_of_three_days_and_four_stages():
    rows = sample_rows()
    assert len(rows) == 60
    assert {row["Date"] for row in rows} == {"2025-07-11", "2025-07-12", "2025-07-13"}
    assert len({row["Stage"] for row in rows}) == 4


def test_the_sample_has_what_names_of_real_lineups_have():
    names = [row["Performer"] for row in sample_rows()]
    for sign in (",", '"', "é", "ł", "'"):
        assert any(sign in name for name in names), sign
    assert "1914" in names


def test_the_sample_has_the_performance_that_the_readme_asks_for():
    [row] = [
        row for row in sample_rows() if row["Start"] == "8:00pm" and row["Stage"] == "Main Stage"
    ]
    assert row["Performer"] == "Megan Thee Stallion"
    assert row["Date"] == "2025-07-12"
    assert int(row["Popularity"]) > 80


def test_the_json_sample_is_an_array_of_as_many_performances():
    rows = json.loads((ROOT / "sample" / "sample.json").read_text(encoding="utf-8"))
    assert [str(row["Performer"]) for row in rows] == [row["Performer"] for row in sample_rows()]


def test_every_test_file_has_a_name_of_its_own():
    """pytest imports test files by their bare names: of two with one name only one could run."""
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert sorted(set(names)) == sorted(names)
