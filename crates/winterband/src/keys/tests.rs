//! What `keys` writes, without a server.

use std::os::unix::fs::PermissionsExt;

use super::*;

fn args(out: &Path) -> Args {
    Args {
        out: out.to_owned(),
        users: Vec::new(),
        hosts: Vec::new(),
        renew: false,
        certificate: false,
        end_old: false,
        integrations: false,
    }
}

/// Every file below a folder, with its bytes.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.clone(), std::fs::read(&path).unwrap());
        }
    }
    found
}

fn users_line(folder: &Path) -> usize {
    std::fs::read_to_string(folder.join("nats/users.conf")).unwrap().matches("nkey:").count()
}

#[tokio::test]
async fn what_is_there_stays_and_is_read_by_one_user_alone() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("keys");
    run(None, args(&out)).await.unwrap();
    let first = files(&out);
    for user in User::ALL {
        assert!(first.contains_key(&out.join(user.name()).join(SEED)), "{}", user.name());
    }
    for file in first.keys().filter(|file| !file.ends_with("lock")) {
        let mode = std::fs::metadata(file).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", file.display());
    }
    run(None, args(&out)).await.unwrap();
    assert!(files(&out) == first, "made again what was there");
    // What the servers read holds nothing that somebody else comes in with.
    let seeds: Vec<&[u8]> =
        first.iter().filter(|(file, _)| file.ends_with(SEED)).map(|(_, seed)| seed.trim_ascii()).collect();
    for (file, bytes) in first.iter().filter(|(file, _)| file.starts_with(out.join("nats"))) {
        for seed in &seeds {
            assert!(!bytes.windows(seed.len()).any(|part| part == *seed), "{}", file.display());
        }
    }
}

#[tokio::test]
async fn a_new_key_opens_beside_the_old_one_until_that_is_ended() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("keys");
    run(None, args(&out)).await.unwrap();
    let seed = || std::fs::read(out.join("desk").join(SEED)).unwrap();
    let certificate = || std::fs::read(out.join("nats/server.pem")).unwrap();
    let (old, of_servers) = (seed(), certificate());
    let of_desk = |change: fn(&mut Args)| {
        let mut args = Args { users: vec![User::Role(Role::Desk)], ..args(&out) };
        change(&mut args);
        args
    };
    run(None, of_desk(|args| args.renew = true)).await.unwrap();
    assert_ne!(seed(), old);
    assert_eq!(users_line(&out), User::ALL.len() + 1);
    // A further one would end what the role may still run with.
    let renewed = files(&out);
    let refused = run(None, of_desk(|args| args.renew = true)).await.unwrap_err().to_string();
    assert!(refused.contains("desk") && refused.contains("--end-old"), "{refused}");
    let refused = run(None, Args { renew: true, ..args(&out) }).await.unwrap_err().to_string();
    assert!(refused.contains("for desk:"), "{refused}");
    assert!(files(&out) == renewed, "something was changed by what was refused");
    // Only of who is named.
    let of_chat = Args { users: vec![User::Role(Role::Chat)], end_old: true, ..args(&out) };
    run(None, of_chat).await.unwrap();
    assert_eq!(users_line(&out), User::ALL.len() + 1);
    run(None, of_desk(|args| args.end_old = true)).await.unwrap();
    assert_eq!(users_line(&out), User::ALL.len());
    run(None, Args { renew: true, ..args(&out) }).await.unwrap();
    assert_eq!(users_line(&out), 2 * User::ALL.len());
    assert_eq!(certificate(), of_servers, "only keys were to be renewed");
    run(None, Args { certificate: true, ..args(&out) }).await.unwrap();
    assert_ne!(certificate(), of_servers);
    assert_eq!(users_line(&out), 2 * User::ALL.len());
    run(None, Args { end_old: true, ..args(&out) }).await.unwrap();
    assert_eq!(users_line(&out), User::ALL.len());
}

#[tokio::test]
async fn what_was_made_opens_though_integrations_could_not_be_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("keys");
    assert!(run(None, Args { integrations: true, ..args(&out) }).await.is_err(), "there is no server");
    assert_eq!(users_line(&out), User::ALL.len());
}

#[test]
fn keys_are_not_renewed_while_integrations_are_asked_for() {
    use clap::FromArgMatches as _;
    let command = || <Args as clap::Args>::augment_args(clap::Command::new("keys").no_binary_name(true));
    let read = |words: &[&str]| {
        let found = command().try_get_matches_from(words)?;
        Args::from_arg_matches(&found).map(drop)
    };
    assert!(read(&["--out", "x", "--renew"]).is_ok());
    // It would come in with a key that no server has heard of yet.
    assert!(read(&["--out", "x", "--renew", "--integrations"]).is_err());
}

#[test]
fn nobody_may_what_is_anothers() {
    let subjects = Subjects::new("c1".parse().unwrap());
    let shop: SubjectToken = "shop".parse().unwrap();
    let of = |role| rights::of(User::Role(role), &subjects, &[&shop]);
    let only = |subject: &str, who: &[Role]| {
        for role in Role::ALL {
            assert_eq!(of(role).may_publish(subject), who.contains(&role), "{} {subject}", role.name());
        }
    };
    // Each log has one writer, and what is read and changed is read and changed by who has to.
    only("wb.c1.log.contacts", &[Role::Routing]);
    only("wb.c1.log.remedies", &[Role::Empowerment]);
    only("wb.c1.log.erasures", &[Role::Rights]);
    only("wb.c1.log.deliveries.email.support", &[Role::Channels]);
    only("wb.c1.in.config", &[Role::Api]);
    only("wb.c1.in.wish", &[Role::Empowerment]);
    only("wb.c1.in.canary", &[Role::Desk]);
    only("wb.c1.in.cmd.agt_1", &[Role::Desk, Role::Api]);
    only("wb.c1.in.msg.email.support", &[Role::Channels, Role::Api]);
    only("$KV.ACCOUNTS.agent.anna", &[Role::Desk, Role::Api]);
    only("$KV.WEBHOOKS.x", &[Role::Api]);
    only("$KV.CURSORS.x", &[Role::Channels]);
    only("$KV.CHANNELS.account.web.shop", &[Role::Chat, Role::Api]);
    only("$KV.CHANNELS.published.web", &[Role::Chat, Role::Api]);
    only("$KV.CHANNELS.account.email.support", &[Role::Channels, Role::Api]);
    only("$KV.CHANNELS.account.webhook.crm", &[Role::Channels, Role::Api]);
    only("$KV.CHANNELS.account.telegram.bot", &[Role::Channels, Role::Api]);
    only("$KV.CHANNELS.account.sms.shop", &[Role::Channels, Role::Api]);
    only("$KV.CHANNELS.account.whatsapp.shop", &[Role::Channels, Role::Api]);
    only("$KV.CHANNELS.published.channels", &[Role::Channels, Role::Api]);
    for (lease, holder) in [
        ("rights", Role::Rights),
        ("routing", Role::Routing),
        ("empowerment", Role::Empowerment),
        ("edge", Role::Api),
        ("webhooks", Role::Api),
        ("channels", Role::Channels),
        ("mailbox.support", Role::Channels),
    ] {
        only(&format!("$KV.LEASES.{lease}"), &[holder]);
    }
    only("$JS.API.STREAM.MSG.GET.INBOUND", &[Role::Rights, Role::Routing, Role::Api, Role::Watch]);
    only("$JS.API.CONSUMER.CREATE.INBOUND.x", &[Role::Rights, Role::Routing, Role::Watch]);
    only("$JS.API.STREAM.MSG.GET.KV_ACCOUNTS", &[Role::Desk, Role::Api]);
    only("$JS.API.STREAM.MSG.GET.KV_SESSIONS", &[Role::Desk, Role::Api]);
    only("$JS.API.STREAM.MSG.DELETE.KV_KEYS", &[Role::Rights]);
    only("$JS.API.STREAM.MSG.DELETE.PARKED", &[Role::Rights, Role::Api]);
    only("$JS.API.CONSUMER.CREATE.EDGE-shop.x", &[Role::Api]);
    only("wb.c1.answers.shop.message.1", &[Role::Api]);
    // Whom a number reaches, and who wants no more messages, only desks ask.
    only("wb.c1.svc.channel.reach", &[Role::Desk]);
    for nobodys in [
        "$JS.API.STREAM.MSG.DELETE.CONTACTS",
        "$JS.API.STREAM.MSG.DELETE.AUDIT",
        "$JS.API.STREAM.PURGE.CONTACTS",
        "$JS.API.STREAM.DELETE.CONTACTS",
        "$JS.API.STREAM.UPDATE.CONTACTS",
        "$JS.API.STREAM.CREATE.ANYTHING",
        "$JS.API.STREAM.RESTORE.CONTACTS",
        "$JS.API.STREAM.SNAPSHOT.KV_KEYS",
        "$JS.API.CONSUMER.DELETE.CONTACTS.x",
        "$JS.API.META.LEADER.STEPDOWN",
        "$SYS.REQ.SERVER.PING",
        "wb.c2.log.contacts",
    ] {
        only(nobodys, &[]);
    }
}

#[test]
fn the_image_is_built_with_what_its_build_needs() {
    let text = include_str!("../../../../deploy/Dockerfile");
    let setup = include_str!("../../../../deploy/setup");
    assert!(setup.contains("has node ||") && setup.contains("has npm ||"), "the build asks for Node");
    assert!(text.contains("ARG NODE=node:22-") && text.contains("FROM ${NODE} AS node\n"));
    let (_, builder) = text.split_once("FROM ${BUILDER} AS builder\n").unwrap();
    // npm is a link from the one into the other.
    for folder in ["bin", "lib"] {
        assert!(
            builder.contains(&format!("COPY --from=node /usr/local/{folder} /usr/local/{folder}\n")),
            "{folder}"
        );
    }
}

#[test]
fn each_role_has_a_container_that_sees_its_own_keys_and_no_other() {
    let text = include_str!("../../../../deploy/docker-compose.yml");
    let cluster = include_str!("../../../../deploy/docker-compose.cluster.yml");
    let services: Vec<&str> = text.split_once("\nservices:\n").unwrap().1.split("\n\n").collect();
    for role in Role::ALL {
        let name = role.name();
        let own = services.iter().find(|part| part.starts_with(&format!("  {name}:\n"))).unwrap();
        assert!(own.contains(&format!("command: [serve, {name}]")), "{own}");
        assert_eq!(own.matches("keys-").count(), 1, "{own}");
        assert!(own.contains(&format!("keys-{name}:/keys:ro")) && own.contains("master:/master:ro"), "{own}");
        assert!(!own.contains("store:") && !own.contains("secrets:"), "{own}");
        assert!(cluster.contains(&format!("\n  {name}:\n    environment: *environment\n")), "{name}");
    }
    // Each server has a store of its own, and none that of the server that is alone.
    for store in ["store-1", "store-2", "store-3"] {
        assert_eq!(cluster.matches(&format!("{store}:/store")).count(), 1, "{store}");
        assert!(cluster.contains(&format!("\n  {store}:\n")), "{store} is not declared");
    }
    assert!(!cluster.contains("\"store:") && !cluster.contains("- store:"));
    for published in text.lines().filter(|line| line.trim_start().starts_with("ports:")) {
        assert!(published.contains("${WINTERBAND_DANGEROUS_ADDRESS:-127.0.0.1}:"), "{published}");
    }
    for text in [text, cluster] {
        for forbidden in ["privileged", "cap_add", "network_mode: host", "docker.sock", "user: root"] {
            assert!(!text.contains(forbidden), "{forbidden}");
        }
    }
}
