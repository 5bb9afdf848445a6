//! The quick start of the API's README over NATS, as it stands there, with the client of another house.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use serde_json::Value;
use tests::Up;

/// The block of this language that stands under this heading of the README.
fn block(heading: &str, language: &str) -> String {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("crates/api/README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let (_, section) = readme.split_once(&format!("\n## {heading}\n")).unwrap();
    let (_, code) = section.split_once(&format!("```{language}\n")).unwrap();
    code.split_once("```").unwrap().0.to_owned()
}

/// Python with nats-py, as deploy/setup made it; what runs the tests says where.
fn python() -> String {
    std::env::var("WINTERBAND_NATS_PYTHON")
        .unwrap_or_else(|_| format!("{}/../.tools/python/bin/python", env!("CARGO_MANIFEST_DIR")))
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_lines_publish_a_message_and_read_what_was_refused_and_what_happened() {
    let up = Up::started().await;
    let made = block("Over NATS", "sh");
    let made = made.lines().next().unwrap();
    let args: Vec<&str> = made.strip_prefix("winterband ").unwrap().split_whitespace().collect();
    let (code, out, err) = up.command(&args).await;
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains("reaches nothing else"), "{out}");
    let (_, rest) = out.split_once("It connects to ").unwrap();
    let url = rest.split_whitespace().next().unwrap();

    let program = block("Over NATS", "python");
    assert!(program.lines().count() <= 14, "a quick start of ten lines and their frame");
    let program = program.replace("nats://127.0.0.1:4222", url);
    std::fs::write(up.folder().join("quick.py"), &program).unwrap();
    let run = tokio::process::Command::new(python()).arg("quick.py").current_dir(up.folder()).output().await;
    let run = run.unwrap();
    let (out, err) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{out}{err}");
    let answers: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [taken, refused, page, feed] = answers.as_slice() else { panic!("{out}") };
    assert_eq!((taken["status"].as_u64(), taken["duplicate"].as_bool()), (Some(202), Some(false)));
    assert_eq!(refused["code"], "unknown_account");
    assert_eq!(page["rejections"].as_array().unwrap().len(), 1);
    assert_eq!(feed["events"][0]["type"], "message.received");
    assert_eq!(feed["events"][0]["data"]["message"], taken["message"]);

    let (code, out, _) = up.command(&["integration", "list"]).await;
    assert!(code == 0 && out.starts_with("shop "), "{out}");
    let (code, out, _) = up.command(&["integration", "check", "shop", "--seed-file", "shop.seed"]).await;
    assert_eq!(code, 0, "{out}");
    let (code, out, _) = up.command(&["integration", "nats-config"]).await;
    let seed = std::fs::read_to_string(up.folder().join("shop.seed")).unwrap();
    assert!(code == 0 && out.contains("wb.c1.edge.shop.*.*") && !out.contains(seed.trim()), "{out}");
    assert_eq!(up.command(&["integration", "remove", "shop"]).await.0, 0);
    assert_ne!(up.command(&["integration", "check", "shop", "--seed-file", "shop.seed"]).await.0, 0);
}
