//! The contract with other systems, held against the product as a person runs it: the quick starts of its README as they stand there,
//! the examples of its events, and what a machine that has read the documents makes up.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tests::up::Up;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// A program of the tools that `tests/run` sets up.
fn tool(name: &str) -> PathBuf {
    let program = root().join(".tools/contract/bin").join(name);
    assert!(program.is_file(), "{} is missing: tests/run sets it up", program.display());
    program
}

async fn run(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

fn said(output: &Output) -> String {
    format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The code of a language under *Quick starts*.
fn quick_start(language: &str) -> String {
    let readme = std::fs::read_to_string(root().join("crates/api/README.md")).unwrap();
    let (_, part) = readme.split_once("## Quick starts\n").unwrap();
    let (part, _) = part.split_once("\n## ").unwrap();
    let (_, code) = part.split_once(&format!("```{language}\n")).unwrap();
    code.split_once("```").unwrap().0.to_owned()
}

#[tokio::test]
async fn the_quick_starts_do_what_they_say() {
    let up = Up::started().await;
    for (language, program, flag) in [("sh", "bash", "-c"), ("python", "python3", "-c"), ("js", "node", "-e")]
    {
        let code = quick_start(language);
        assert!(code.lines().count() <= 10, "{language}: a quick start has ten lines");
        let code = code.replace("http://127.0.0.1:8080", &up.url());
        let mut command = Command::new("timeout");
        command.args(["120", program, flag, &code]).current_dir(up.folder());
        let output = run(command).await;
        let said = said(&output);
        assert!(output.status.success(), "{language}: {said}");
        assert!(
            said.contains(r#""message":"#) || said.contains("message:") || said.contains("'message':"),
            "{said}"
        );
        assert!(said.contains("message.received") && said.contains("Hello from "), "{language}: {said}");
    }
}

#[tokio::test]
async fn examples_of_events_are_as_their_schema_says() {
    let up = Up::started().await;
    let check = "import json, sys, urllib.request, jsonschema\n\
                 schema = json.load(urllib.request.urlopen(sys.argv[1] + '/api/schemas/PublicEvent.json'))\n\
                 jsonschema.Draft202012Validator.check_schema(schema)\n\
                 validator = jsonschema.Draft202012Validator(schema)\n\
                 lines = open(sys.argv[2]).read().splitlines()\n\
                 for line in lines:\n    validator.validate(json.loads(line))\n\
                 for wrong in ({}, {**json.loads(lines[0]), 'type': 'contact.eaten'}, {**json.loads(lines[0]), 'seq': 'x'}):\n\
                 \x20   assert not validator.is_valid(wrong), wrong\n\
                 print(len(lines), 'are as they should be')";
    let mut command = Command::new(tool("python"));
    command.args(["-c", check, &up.url()]).arg(root().join("crates/protocol/tests/golden-public.jsonl"));
    let output = run(command).await;
    assert!(output.status.success(), "{}", said(&output));
}

/// Tries every operation with what the document allows and with what it forbids, and looks whether answers are as it says.
#[tokio::test]
async fn every_answer_is_as_the_document_says_whatever_is_asked() {
    let up = Up::started().await;
    let key = std::fs::read_to_string(up.folder().join("data/secrets/admin.key")).unwrap();
    let mut command = Command::new(tool("st"));
    command
        .args(["run", &format!("{}/api/openapi.json", up.url()), "--url", &up.url()])
        .args(["--header", &format!("Authorization: Bearer {}", key.trim())])
        // A schema cannot say everything that makes a body right: a category has to be configured, an agent's queue too. And
        // a key is looked at before the method.
        .args(["--checks", "all", "--exclude-checks", "positive_data_acceptance"])
        .args(["--phases", "examples,coverage,fuzzing", "--max-examples", "15", "--seed", "1"])
        .args([
            "--max-time",
            "90",
            // A feed may be waited at for a minute.
            "--request-timeout",
            "70",
            "--max-response-time",
            "65",
            "--continue-on-failure",
            "--no-color",
            "--workers",
            "2",
        ])
        .current_dir(up.folder());
    let output = run(command).await;
    assert!(output.status.success(), "{}", said(&output));
}
