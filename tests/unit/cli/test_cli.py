"""The command as a person meets it: real processes, real jobs, a home of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from ruamel.yaml import YAML
from tests.fakes.shell import PATIENCE, ROOT, Shell, fetch, wait_for_line

# --- starting


def test_help_imports_nothing_heavy() -> None:
    code = "import sys; sys.argv = ['trainyard', '--help']; from trainyard.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", code],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    assert "Commands:" in done.stdout
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "click" in imported
    assert not imported & {"pydantic", "rich", "asyncio", "ruamel", "obstore", "sqlite3"}


def test_every_verb_has_help(shell: Shell) -> None:
    from trainyard.cli.main import VERBS, Verbs, trainyard

    assert isinstance(trainyard, Verbs)
    for verb in VERBS:
        command = trainyard.get_command(None, verb)  # type: ignore[arg-type]
        assert command is not None
        assert command.help, verb


def test_an_unknown_verb_is_a_usage_error(shell: Shell) -> None:
    assert "No such command" in shell("fly", want=2).stderr


# --- before anything runs


def test_validate_tells_a_good_file(shell: Shell) -> None:
    assert shell("validate", shell.job("fine", "true")).stdout == "1 job, 0 errors\n"


def test_validate_names_the_place_and_the_spelling(shell: Shell) -> None:
    path = shell.job("typo", "true", stoppingCondition="{maxRuntimeInSecond: 60}")
    line = next(n for n, text in enumerate(path.read_text().splitlines(), 1) if "maxRuntimeInSecond" in text)
    told = shell("validate", path, want=1).stdout
    assert f"typo.yaml:{line}:" in told
    assert "maxruntimeinseconds" in told.lower()
    problems = json.loads(shell("validate", path, "-o", "json", want=1).stdout)
    unknown = next(problem for problem in problems if problem["code"] == "unknown-field")
    assert unknown["position"]["line"] == line
    assert unknown["position"]["column"] > 1
    assert "axRuntimeInSeconds" in unknown["suggestion"]


def test_a_missing_file_is_a_sentence(shell: Shell) -> None:
    assert "nowhere.yaml" in shell("run", "nowhere.yaml", want=2).stderr


def test_validate_tells_of_every_file_and_of_the_spec_inside_a_wrong_envelope(shell: Shell) -> None:
    (shell.folder / "wrong.yaml").write_text("kind: TrainingJob\nspec: {roleARN: x}\n")
    told = shell("validate", "nowhere.yaml", str(shell.folder / "wrong.yaml"), want=1).stdout
    assert "nowhere.yaml: No such file" in told
    assert "apiVersion" in told
    assert "'roleArn' failed to satisfy constraint" in told


def test_plan_says_what_would_happen_and_changes_nothing(shell: Shell) -> None:
    path = shell.job("planned", "true")
    assert "model   s3://out/models/planned/output/model.tar.gz" in shell("plan", path).stdout
    plan = json.loads(shell("plan", path, "-o", "json").stdout)[0]
    assert plan["refused"] is None
    assert shell("list", "-o", "name").stdout == ""


def test_plan_and_run_refuse_with_two(shell: Shell) -> None:
    path = shell.job("huge", "true", resourceConfig="{instanceType: ml.m5.large, instanceCount: 9, volumeSizeInGB: 1}")
    assert "refused " in shell("plan", path, want=2).stdout
    assert shell("run", path, want=2).stderr.startswith("error:")
    assert shell("list", "-o", "name").stdout == ""


def test_plan_names_everything_that_is_against_a_job(shell: Shell) -> None:
    s3 = "{s3DataSource: {s3DataType: S3Prefix, s3URI: 's3://none/%s/'}}"
    here = "{s3DataSource: {s3DataType: S3Prefix, s3URI: './nowhere/'}}"
    channels = [("one", s3 % "a"), ("two", s3 % "b"), ("three", here)]
    given = ", ".join(f"{{channelName: {name}, dataSource: {source}}}" for name, source in channels)
    image = '{trainingImage: "nobody/knows:1", trainingInputMode: File}'
    path = shell.job("lacking", "true", inputDataConfig=f"[{given}]", algorithmSpecification=image)
    problems = json.loads(shell("plan", path, "-o", "json", want=2).stdout)[0]["problems"]
    assert len(problems) == 4
    assert "No program is known for nobody/knows:1" in problems[0]
    assert "s3://none/a/" in problems[1]
    assert "s3://none/b/" in problems[2]
    assert problems[3].startswith(f"The channel three is to read {shell.folder}/nowhere/, which holds no file")
    assert shell("plan", path, want=2).stdout.count("refused ") == 4
    assert "s3://none/b/" in shell("run", path, want=2).stderr


def test_plan_lists_what_is_to_be_known_and_wide_all_of_it(shell: Shell) -> None:
    path = shell.job("planned", "true")
    short, wide = shell("plan", path).stdout, shell("plan", path, "-o", "wide").stdout
    assert short.startswith("planned: on this machine, as a process\n")
    assert "ResourceConfig.VolumeSizeInGB" in short
    assert "TrainingJobName" not in short
    assert "TrainingJobName" in wide
    assert "(-o wide lists them)" in short
    assert "(-o wide lists them)" not in wide
    assert shell("plan", path, "-o", "name").stdout == "planned\n"


def test_validate_tells_of_slow_and_impossible_regexes(shell: Shell) -> None:
    def algorithm(regex: str) -> str:
        definitions = json.dumps([{"name": "loss", "regex": regex}])
        return f"{{trainingImage: local/python, trainingInputMode: File, metricDefinitions: {definitions}}}"

    slow = shell.job("slow", "true", algorithmSpecification=algorithm("(?<=x)([0-9]+)"))
    told = shell("validate", slow).stdout
    assert f"slow.yaml:{_line(slow, 'loss')}:" in told
    assert "runs slowly" in told
    assert told.endswith("1 job, 0 errors\n")
    none = shell.job("none", "true", algorithmSpecification=algorithm("([0-9]+"))
    assert "is none" in shell("validate", none, want=1).stdout


def _line(path: Path, text: str) -> int:
    return next(n for n, line in enumerate(path.read_text().splitlines(), 1) if text in line)


def test_a_form_that_means_nothing_is_refused(shell: Shell) -> None:
    for command in (["df", "-o", "name"], ["doctor", "-o", "wide"], ["validate", "x", "-o", "name"]):
        assert "is not one of" in shell(*command, want=2).stderr


def test_init_prints_what_validate_accepts(shell: Shell) -> None:
    path = shell.folder / "new.yaml"
    path.write_text(shell("init", "--name", "fresh").stdout)
    shell("validate", path)


def test_init_tells_how_its_manifest_runs(shell: Shell) -> None:
    path = shell.folder / "new.yaml"
    path.write_text(shell("init", "--name", "fresh").stdout)
    for name in ("train", "validation"):
        (shell.folder / f"{name}.csv").write_text("".join(f"{n % 2},{n},{n % 3}\n" for n in range(40)))
    told = [line.removeprefix("#   trainyard ") for line in path.read_text().splitlines() if "#   trainyard" in line]
    for line in told:
        shell(*line.replace("FILE", str(path)).split())
    assert [line.split()[0] for line in told] == ["data", "data", "plan", "run"]
    assert shell("list", "--status", "Completed", "-o", "name").stdout == "fresh\n"


# --- running


def test_run_tells_lines_and_metrics_and_the_model(shell: Shell) -> None:
    told = shell("run", shell.job("quick", "echo hello; echo loss=0.5; echo 1 > /opt/ml/model/weights")).stdout
    assert "hello\n" in told
    assert "loss = 0.5" in told
    assert "Completed: " in told
    assert "model: s3://out/models/quick/output/model.tar.gz" in told


def test_a_failed_job_says_why_unasked(done: Shell) -> None:
    told = done("describe", "bad").stdout
    assert "Reason:" in told
    assert "exit code: 7" in told.lower()
    lines = [line.strip() for line in told.partition("Last lines:")[2].split()]
    assert lines == [f"line-{number}" for number in range(11, 31)]
    assert "Last lines:" not in done("describe", "good").stdout
    waited = done("wait", "bad", want=1).stdout
    assert "line-30\n" in waited
    assert "Failed: " in waited
    attached = done("attach", "bad", want=1).stdout
    assert "line-1\n" in attached
    assert "exit code: 7" in attached.lower()


def test_hostile_output_never_reaches_the_terminal(shell: Shell) -> None:
    path = shell.job("hostile", r"printf 'evil \033[2J\033]0;owned\007 \302\233 end\n'; exit 1")
    answers = [shell("run", path, want=1), shell("logs", "hostile"), shell("describe", "hostile"), shell("list")]
    for answer in answers:
        text = answer.stdout + answer.stderr
        assert not [char for char in text if not char.isprintable() and char != "\n"], text
    assert "evil" in answers[0].stdout


def test_a_taken_name_is_refused_and_again_finds_another(shell: Shell) -> None:
    path = shell.job("taken", "true")
    shell("run", path)
    assert "error:" in shell("run", path, want=2).stderr
    shell("run", "--again", path)
    assert set(shell("list", "-o", "name").stdout.split()) == {"taken", "taken-2"}


def test_a_deleted_name_is_free(shell: Shell) -> None:
    path = shell.job("reused", "true")
    shell("run", path)
    mixed = shell("delete", "nobody", "reused", want=2)
    assert "error: nobody:" in mixed.stderr
    assert mixed.stdout == "reused deleted\n"
    assert shell("list", "-o", "name").stdout == ""
    shell("run", path)


def test_detached_it_goes_on(shell: Shell) -> None:
    assert shell("run", "-d", shell.job("alone", "echo here")).stdout == "alone\n"
    assert "Completed: " in shell("wait", "alone").stdout


def test_wait_gives_up_with_four(shell: Shell) -> None:
    go = shell.folder / "go"
    shell("run", "-d", shell.job("slow", f"while [ ! -e {go} ]; do sleep 0.05; done"))
    assert "not final" in shell("wait", "slow", "--timeout", "0.2", want=4).stderr
    go.touch()
    shell("wait", "slow")


def test_a_stopped_job_keeps_what_it_had(shell: Shell, processes: list[subprocess.Popen[str]]) -> None:
    command = "trap 'echo saved > /opt/ml/model/state; exit 0' TERM; echo ready; while :; do sleep 0.05; done"
    running = shell.start("run", shell.job("halted", command))
    processes.append(running)
    wait_for_line(running, "ready")
    assert "halted stopping" in shell("stop", "halted").stdout
    running.communicate(timeout=PATIENCE)
    assert running.returncode == 3
    assert "Stopped" in shell("list").stdout
    shell("artifacts", "halted", "--to", "kept")
    assert (shell.folder / "kept" / "state").read_text() == "saved\n"
    assert "error:" in shell("stop", "halted", want=2).stderr


def test_a_script_runs_with_channels_and_arguments(shell: Shell) -> None:
    data = shell.folder / "train"
    data.mkdir()
    rows = [f"{label},{label + spread / 10},{label * 2 - spread / 10}" for label in (0, 1) for spread in range(6)]
    (data / "part.csv").write_text("\n".join(rows) + "\n")
    script = ROOT / "examples" / "sklearn_script" / "train.py"
    done = shell("run", "--name", "forest", script, "--channel", f"train={data}", "--", "--n-estimators", "5")
    assert "accuracy=" in done.stdout
    assert "Completed: " in done.stdout
    shell("artifacts", "forest", "--to", "model")
    assert (shell.folder / "model" / "model.pkl").stat().st_size > 0


def test_a_script_that_is_not_there_is_refused_at_once(shell: Shell) -> None:
    (shell.folder / "folder.py").mkdir()
    assert "There is no script nowhere.py." in shell("run", "nowhere.py", want=2).stderr
    assert "folder.py is no file" in shell("run", "folder.py", want=2).stderr
    assert "read as a manifest" in shell("run", "job.yaml", "--channel", "a=b", want=2).stderr
    assert shell("list", "-o", "name").stdout == ""


def test_a_script_takes_its_code_along_as_it_was(shell: Shell) -> None:
    project = shell.folder / "project"
    for folder in ("lib", "data", ".git", "env"):
        (project / folder).mkdir(parents=True)
        (project / folder / "file").write_text(folder)
    (project / "env" / "pyvenv.cfg").write_text("")
    (project / ".secret").write_text("token")
    script = project / "train.py"
    script.write_text("import os; print('code:', sorted(os.listdir('/opt/ml/input/data/code'))); print('edited: no')")
    data = f"train={project / 'data'}"
    told = shell("run", "--name", "first", script, "--channel", data).stderr
    assert f"code: 2 files, 96 B of {project} (left out: .git, .secret, data, env)" in told
    assert "code: ['lib', 'train.py']\n" in shell("logs", "first").stdout
    shell("run", "--name", "again", script, "--channel", data)
    (kept,) = (shell.home / "code").iterdir()
    script.write_text("print('edited: yes')")
    shell("run", "--name", "edited", script, "--channel", data)
    assert len(list((shell.home / "code").iterdir())) == 2
    assert "edited: no" in (kept / "train.py").read_text()
    shell("prune", "--older-than", "0s")
    assert list((shell.home / "code").iterdir()) == []


# --- looking


def test_list_in_every_form(done: Shell) -> None:
    assert done("list", "-o", "name").stdout == "bad\ngood\n"
    jobs = json.loads(done("list", "-o", "json").stdout)
    assert [job["TrainingJobStatus"] for job in jobs] == ["Failed", "Completed"]
    assert YAML(typ="safe", pure=True).load(done("list", "-o", "yaml").stdout) == jobs
    wide = done("list", "-o", "wide").stdout
    assert "ml.m5.large" in wide
    assert "FAILURE-REASON" in wide
    assert "FAILURE-REASON" not in done("ps").stdout
    assert done("list", "--status", "Failed", "-o", "name").stdout == "bad\n"


def test_describe_speaks_the_apis_language(done: Shell) -> None:
    told = json.loads(done("describe", "good", "-o", "json").stdout)
    assert told["TrainingJobName"] == "good"
    assert told["CreationTime"].endswith("Z")
    assert told["trainyard"]["attempt"] == 1
    assert "not found" in done("describe", "nobody", want=2).stderr


def test_logs_by_count_age_and_time(done: Shell) -> None:
    assert done("logs", "good").stdout == "loss=0.9\nloss=0.5\nloss=0.1\n"
    assert done("logs", "good", "--tail", "1").stdout == "loss=0.1\n"
    assert done("logs", "good", "--since", "1d").stdout.count("\n") == 3
    assert done("logs", "good", "--since", "0s").stdout == ""
    stamp, _, line = done("logs", "good", "--tail", "1", "--timestamps").stdout.partition(" ")
    assert stamp.endswith("Z")
    assert line == "loss=0.1\n"
    assert "is no age" in done("logs", "good", "--since", "soon", want=2).stderr


def test_metrics_show_their_course(done: Shell) -> None:
    _, row = done("metrics", "good", "loss").stdout.splitlines()
    assert row.split() == ["loss", "-", "3", "0.1", "0.1", "0.9", "█▅▁"]
    series = json.loads(done("metrics", "good", "-o", "json").stdout)
    assert [value for _, value in series[0]["points"]] == [0.9, 0.5, 0.1]


def test_events_tell_the_story(done: Shell) -> None:
    reasons = [event["reason"] for event in json.loads(done("events", "good", "-o", "json").stdout)]
    assert reasons[0] == "Accepted"
    assert "Accepted" in done("events", "good").stdout


# --- keeping


def test_artifacts_unpack(done: Shell, tmp_path: Path) -> None:
    done("artifacts", "good", "--to", tmp_path / "model")
    assert (tmp_path / "model" / "weights").read_text() == "weights\n"
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == ["weights"]


def test_data_goes_round(shell: Shell) -> None:
    source = shell.folder / "data"
    (source / "deep").mkdir(parents=True)
    (source / "a.csv").write_text("1\n")
    (source / "deep" / "b.csv").write_text("22\n")
    shell("data", "cp", source, "s3://mine/set/")
    told = shell("data", "ls", "s3://mine/set/").stdout
    assert "s3://mine/set/a.csv" in told
    assert "s3://mine/set/deep/b.csv" in told
    shell("data", "cp", "s3://mine/set/", "back")
    assert (shell.folder / "back" / "deep" / "b.csv").read_text() == "22\n"
    assert "One side" in shell("data", "cp", "s3://a/b", "s3://c/d", want=2).stderr
    assert "nothing at" in shell("data", "cp", "s3://mine/other", "back", want=2).stderr


def test_doctor_and_df_say_where_everything_is(shell: Shell) -> None:
    assert str(shell.home) in shell("doctor").stdout
    assert "records" in shell("df").stdout


def test_prune_keeps_what_is_young(done: Shell) -> None:
    assert done("prune", "--dry-run").stdout == ""
    assert "good would be deleted" in done("prune", "--older-than", "0s", "--dry-run").stdout
    assert done("list", "-o", "name").stdout == "bad\ngood\n"


COMPLETED = """
eval "$(trainyard completion bash)"
for words in "describe go" "plan wanted.y" "explain roleA" "list -o wi"; do
    COMP_WORDS=(trainyard $words) COMP_CWORD=2 COMPREPLY=()
    case $words in list*) COMP_CWORD=3 ;; esac
    compopt() { COMPREPLY+=("files"); }
    _trainyard_completion trainyard "" ""
    echo "${COMPREPLY[*]}"
done
"""


def test_bash_completes_names_files_fields_and_forms(done: Shell) -> None:
    folder = Path(sys.executable).parent
    environment = {**done.environment, "PATH": f"{folder}:{done.environment['PATH']}"}
    told = subprocess.run(
        ["bash", "-c", COMPLETED], cwd=done.folder, env=environment, capture_output=True, text=True, check=True
    )
    assert told.stdout.splitlines() == ["good", "files", "roleARN", "wide"]


def test_a_scope_that_no_arn_can_hold_is_refused(shell: Shell) -> None:
    assert "'Moon'" in shell("--region", "Moon", "list", want=2).stderr
    assert "'12'" in shell("--account", "12", "list", want=2).stderr


def test_a_script_of_another_kind_is_no_manifest(shell: Shell) -> None:
    (shell.folder / "go.sh").write_text("#!/bin/sh\necho hello\n")
    assert "go.sh is a script of another kind" in shell("run", "go.sh", want=2).stderr


def test_serve_is_healthy_and_leaves_jobs_running(shell: Shell, processes: list[subprocess.Popen[str]]) -> None:
    server = shell.start("serve", "--drain-timeout", "5")
    processes.append(server)
    deadline = time.monotonic() + PATIENCE
    answer = ""
    while not answer:
        assert time.monotonic() < deadline
        assert server.poll() is None
        answer = fetch(shell.home / "control.sock", "/healthz")
    assert answer.startswith("HTTP/1.1 200")
    assert '"status":"ok"' in answer
    go = shell.folder / "go"
    shell("run", "-d", shell.job("lasting", f"echo ready; while [ ! -e {go} ]; do sleep 0.05; done; echo over"))
    follower = shell.start("logs", "-f", "lasting")
    processes.append(follower)
    wait_for_line(follower, "ready")
    server.terminate()
    server.communicate(timeout=PATIENCE)
    assert server.returncode == 0
    assert not (shell.home / "control.sock").exists()
    assert json.loads(shell("describe", "lasting", "-o", "json").stdout)["TrainingJobStatus"] == "InProgress"
    go.touch()
    shell("wait", "lasting")
    assert shell("logs", "lasting", "--tail", "1").stdout == "over\n"
