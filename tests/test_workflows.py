"""What hosts of repositories read: workflows, forms, citation, licence."""

import itertools
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from dvc.utils.serialize import load_toml

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
STUDY, COMMENT = (ROOT / f".github/workflows/{name}.yml" for name in ("study", "study-comment"))
GITLAB = ROOT / ".gitlab-ci.yml"
FORMS = sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml"))
SCHEMAS = {
    "vendor.github-workflows": WORKFLOWS,
    "vendor.gitlab-ci": [GITLAB],
    "vendor.github-issue-forms": [form for form in FORMS if form.name != "config.yml"],
    "vendor.github-issue-config": [ROOT / ".github/ISSUE_TEMPLATE/config.yml"],
    "vendor.citation-file-format": [ROOT / "CITATION.cff"],
}
PINNED = re.compile(r"uses: [\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+\n")


def content(path: Path) -> dict:
    """As GitHub reads it: `on` is a word and no truth."""
    return yaml.load(path.read_text(encoding="utf-8"), yaml.BaseLoader)


def steps(path: Path) -> list[dict]:
    return list(itertools.chain.from_iterable(j["steps"] for j in content(path)["jobs"].values()))


@pytest.mark.parametrize("schema", SCHEMAS)
def test_files_are_what_their_schema_asks_for(schema):
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema]
    done = subprocess.run([*command, *SCHEMAS[schema]], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_an_action_is_one_commit_with_its_version(path):
    lines = [line for line in path.read_text().splitlines(keepends=True) if "uses:" in line]
    assert lines
    assert [line for line in lines if not PINNED.search(line)] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_job_ends_and_gets_no_more_than_it_needs(path):
    workflow = content(path)
    assert workflow["permissions"] in ({}, {"contents": "read"})
    assert "concurrency" in workflow
    for job in workflow["jobs"].values():
        assert int(job["timeout-minutes"]) > 0


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_no_script_is_put_together_from_what_a_stranger_wrote(path):
    """A branch's name in `${{ }}` would be run as a command; in `env:` it is a value."""
    scripts = [step["run"] for step in steps(path) if "run" in step]
    assert scripts
    assert [script for script in scripts if "${{" in script] == []
    for script in scripts:
        subprocess.run(["bash", "-n", "-c", script], check=True)


def test_code_of_a_pull_request_runs_without_secrets_and_without_the_right_to_write():
    assert set(content(STUDY)["on"]) == {"pull_request", "push"}
    assert content(STUDY)["permissions"] == {"contents": "read"}
    assert not any("permissions" in job for job in content(STUDY)["jobs"].values())
    (checkout,) = [step for step in steps(STUDY) if "checkout" in step.get("uses", "")]
    assert checkout["with"] == {"fetch-depth": "0", "persist-credentials": "false"}


def test_who_may_write_runs_no_code_of_a_pull_request():
    assert set(content(COMMENT)["on"]) == {"workflow_run"}
    assert content(COMMENT)["on"]["workflow_run"]["workflows"] == [content(STUDY)["name"]]
    used = [step["uses"].partition("@")[0] for step in steps(COMMENT) if "uses" in step]
    assert used == ["actions/download-artifact"]
    (script,) = [step["run"] for step in steps(COMMENT) if "run" in step]
    assert not re.search(r"python|make|dvc|git |sh pull", script)


def test_both_hosts_run_the_same_commands():
    command = re.compile(r"(?:^ *|\|\| )((?:make|dvc|python -m|cp) [^\n|]*[^\n| ])", re.M)
    github = "\n".join(
        step["run"] for step in steps(STUDY) if step.get("name") != "Push" and "run" in step
    )
    gitlab = "\n".join(content(GITLAB)["study"]["script"])
    assert len(command.findall(github)) == 8
    assert command.findall(gitlab) == command.findall(github)


@pytest.fixture
def comment(tmp_path):
    """The step that posts, with a `gh` that answers as the host would and notes its words."""
    (step,) = [step for step in steps(COMMENT) if "run" in step]
    gh = tmp_path / "bin/gh"
    gh.parent.mkdir()
    gh.write_text(
        '#!/bin/sh\nprintf "%s\n" "$*" >> asked\n'
        'case "$*" in *--jq*pulls*|*pulls*--jq*) cat number ;; *--paginate*) cat earlier ;; esac\n'
    )
    gh.chmod(0o755)
    (tmp_path / "pull_request").mkdir()

    def post(report: str, number: str, earlier: str) -> tuple[list[str], str]:
        (tmp_path / "pull_request/report.md").write_text(report, encoding="utf-8")
        (tmp_path / "number").write_text(number)
        (tmp_path / "earlier").write_text(earlier)
        env = dict.fromkeys(step["env"], "") | {
            "PATH": f"{gh.parent}{os.pathsep}{os.environ['PATH']}",
            "REPOSITORY": "us/vitoon",
            "HEAD": "them:branch",
            "RUN": "https://host.example/run/1",
        }
        subprocess.run(["bash", "-e", "-c", step["run"]], cwd=tmp_path, env=env, check=True)
        written = tmp_path / "comment.md"
        asked = (tmp_path / "asked").read_text().splitlines()
        return asked, written.read_text(encoding="utf-8") if written.exists() else ""

    return post


def test_a_report_becomes_a_comment_without_images_and_with_a_link(comment):
    asked, text = comment("**Better.**\n\n![Curves](png/curves.png)\n", "7\n", "")
    assert text.splitlines()[:2] == ["<!-- study -->", "**Better.**"]
    assert "png" not in text
    assert text.endswith("(https://host.example/run/1#artifacts)\n")
    assert asked[-1].startswith("api --method POST repos/us/vitoon/issues/7/comments -F body=@")


def test_the_next_report_takes_the_place_of_the_last(comment):
    asked, _ = comment("**Worse.**\n", "7\n", "123\n456\n")
    assert asked[-1].startswith("api --method PATCH repos/us/vitoon/issues/comments/123 -F body=@")
    assert not any("POST" in words for words in asked)


def test_a_comment_is_cut_where_the_host_would_refuse_it(comment):
    _, text = comment("long " * 50_000, "7\n", "")
    assert len(text) < 65_536


def test_nothing_is_posted_where_the_commit_is_no_pull_request_s_any_more(comment):
    asked, text = comment("**Better.**\n", "", "")
    assert len(asked) == 1
    assert text == ""


def test_the_dev_container_has_a_python_that_the_environment_takes():
    container = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text())
    version = tuple(map(int, container["image"].partition(":")[2].split(".")))
    assert (3, 10) <= version < (3, 12)
    assert container["postCreateCommand"].startswith("make environment ")


def test_licence_and_version_are_everywhere_the_same():
    project = load_toml(ROOT / "pyproject.toml")["project"]
    citation = content(ROOT / "CITATION.cff")
    assert (citation["license"], citation["version"]) == (project["license"], project["version"])
    assert [(ROOT / file).is_file() for file in project["license-files"]] == [True, True]
    assert "Apache License" in (ROOT / "LICENSE").read_text()[:200]
