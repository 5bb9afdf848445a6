//! Real mail servers on this machine: Postfix takes mail and hands it to Dovecot, which keeps it and gives it out by IMAP.
//!
//! Both are made for root; without it these tests say so and are left out (`tests/run` tells the same).

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tests::eventually;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

use crate::partner::SOON;

const PASSWORD: &str = "for-tests-only";

/// Both servers and their folder; they end with this value.
pub(crate) struct MailHost {
    folder: TempDir,
    pub(crate) imap_port: u16,
    lmtp_port: u16,
    pub(crate) smtp_port: u16,
    /// Where they speak encrypted from the first byte: IMAP, SMTP with signing in; and SMTP with STARTTLS and signing in.
    imaps_port: u16,
    smtps_port: u16,
    submission_port: u16,
    dovecot: Option<Child>,
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl MailHost {
    /// Starts both with these mailboxes; `None` where that cannot be.
    pub(crate) async fn start(users: &[&str]) -> Option<Self> {
        Self::start_with(users, None).await
    }

    #[expect(clippy::print_stderr, reason = "whoever reads the result should know what it does not say")]
    /// As [`MailHost::start`]; who shows a token instead of a password is whom this address says they are.
    pub(crate) async fn start_with(users: &[&str], tokens: Option<&str>) -> Option<Self> {
        let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
        let installed = Path::new("/usr/sbin/dovecot").exists() && Path::new("/usr/sbin/postfix").exists();
        if !is_root || !installed {
            eprintln!("left out: Postfix and Dovecot are needed, and root to run them");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        // Servers run as users of their own, who have to get through.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let mut host = Self {
            folder,
            imap_port: free_port(),
            lmtp_port: free_port(),
            smtp_port: free_port(),
            imaps_port: free_port(),
            smtps_port: free_port(),
            submission_port: free_port(),
            dovecot: None,
        };
        host.write_certificates();
        host.write_dovecot(users, tokens);
        host.write_postfix();
        host.start_dovecot().await;
        host.postfix("start");
        let port = host.smtp_port;
        eventually("postfix listens", SOON, || async { TcpStream::connect(("127.0.0.1", port)).ok() }).await;
        Some(host)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// An authority of our own, and what it says of `localhost`.
    fn write_certificates(&self) {
        let made = |what: &str, options: &[&str]| {
            let mut command = Command::new("openssl");
            command.args(options).current_dir(self.folder.path());
            let output = command.output().unwrap();
            assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
        };
        let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
        let ca = [
            "req",
            "-x509",
            "-subj",
            "/CN=Test authority",
            "-days",
            "2",
            "-keyout",
            "ca.key",
            "-out",
            "ca.pem",
        ];
        made("authority", &[&ca[..], &key].concat());
        let asked = ["req", "-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.csr"];
        made("request", &[&asked[..], &key].concat());
        fs::write(self.at("names"), "subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n").unwrap();
        let sign =
            ["x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"];
        made(
            "certificate",
            &[&sign[..], &["-days", "2", "-extfile", "names", "-out", "server.pem"]].concat(),
        );
    }

    /// The authority that its certificates are of.
    pub(crate) fn authority(&self) -> String {
        self.at("ca.pem").to_str().unwrap().to_owned()
    }

    fn write_dovecot(&self, users: &[&str], tokens: Option<&str>) {
        let (dir, imap, lmtp) = (self.folder.path().display(), self.imap_port, self.lmtp_port);
        let imaps = self.imaps_port;
        let by_token = match tokens {
            Some(url) => {
                let ways =
                    format!("tokeninfo_url = {url}\nintrospection_mode = auth\nusername_attribute = email\n");
                fs::write(self.at("oauth.conf"), ways).unwrap();
                format!(
                    "auth_mechanisms = plain login xoauth2\n\
                     passdb {{\n driver = oauth2\n mechanisms = xoauth2\n args = {dir}/oauth.conf\n}}\n"
                )
            }
            None => "auth_mechanisms = plain login\n".to_owned(),
        };
        fs::create_dir(self.at("mail")).unwrap();
        fs::create_dir(self.at("dc")).unwrap();
        run(Command::new("chown").arg("mail:mail").arg(self.at("mail")));
        let lines: Vec<String> = users.iter().map(|user| format!("{user}:{PASSWORD}")).collect();
        fs::write(self.at("users"), lines.join("\n") + "\n").unwrap();
        let config = format!(
            "base_dir = {dir}/dc\nprotocols = imap lmtp\nlisten = 127.0.0.1\nlog_path = {dir}/dovecot.log\nssl = yes\nssl_cert = <{dir}/server.pem\nssl_key = <{dir}/server.key\n\
             disable_plaintext_auth = no\nmail_location = maildir:{dir}/mail/%u\nfirst_valid_uid = 1\n\
             recipient_delimiter = +\nmail_max_userip_connections = 50\n\
             {by_token}\
             service auth {{\n unix_listener smtp-auth {{\n  mode = 0666\n }}\n}}\n\
             passdb {{\n driver = passwd-file\n args = scheme=PLAIN username_format=%u {dir}/users\n}}\n\
             userdb {{\n driver = static\n args = uid=mail gid=mail home={dir}/mail/%u\n}}\n\
             service imap-login {{\n inet_listener imap {{\n  port = {imap}\n }}\n inet_listener imaps {{\n  port = {imaps}\n  ssl = yes\n }}\n}}\n\
             service lmtp {{\n inet_listener lmtp {{\n  address = 127.0.0.1\n  port = {lmtp}\n }}\n}}\n\
             service stats {{\n client_limit = 200\n}}\n"
        );
        fs::write(self.at("dovecot.conf"), config).unwrap();
    }

    fn write_postfix(&self) {
        let (dir, lmtp, smtp) = (self.folder.path().display(), self.lmtp_port, self.smtp_port);
        for name in ["pf", "pf/etc", "pf/spool", "pf/data"] {
            fs::create_dir(self.at(name)).unwrap();
        }
        run(Command::new("chown").arg("postfix").arg(self.at("pf/data")));
        let main = format!(
            "compatibility_level = 3.6\nqueue_directory = {dir}/pf/spool\ndata_directory = {dir}/pf/data\n\
             command_directory = /usr/sbin\ndaemon_directory = /usr/lib/postfix/sbin\nmail_owner = postfix\nsetgid_group = postdrop\n\
             inet_interfaces = 127.0.0.1\ninet_protocols = ipv4\nmyhostname = mx.example.test\nmydestination =\n\
             virtual_mailbox_domains = example.test, customer.test\nvirtual_mailbox_maps = static:ok\n\
             virtual_transport = lmtp:inet:127.0.0.1:{lmtp}\nrecipient_delimiter = +\nrelay_domains =\n\
             default_transport = error:no external delivery\nmaillog_file = {dir}/pf/maillog\nmaillog_file_prefixes = {dir}\n\
             smtpd_relay_restrictions = permit_mynetworks, reject\nmynetworks = 127.0.0.0/8\nmessage_size_limit = 104857600\n\
             smtpd_tls_cert_file = {dir}/server.pem\nsmtpd_tls_key_file = {dir}/server.key\nsmtpd_tls_security_level = may\n\
             smtpd_sasl_type = dovecot\nsmtpd_sasl_path = {dir}/dc/smtp-auth\n\
             mailbox_size_limit = 0\nvirtual_mailbox_limit = 0\nminimal_backoff_time = 2s\nmaximal_backoff_time = 4s\nqueue_run_delay = 2s\n"
        );
        fs::write(self.at("pf/etc/main.cf"), main).unwrap();
        let services = [
            "pickup unix n - n 60 1 pickup",
            "cleanup unix n - n - 0 cleanup",
            "qmgr unix n - n 300 1 qmgr",
            "tlsmgr unix - - n 1000? 1 tlsmgr",
            "rewrite unix - - n - - trivial-rewrite",
            "bounce unix - - n - 0 bounce",
            "defer unix - - n - 0 bounce",
            "trace unix - - n - 0 bounce",
            "verify unix - - n - 1 verify",
            "flush unix n - n 1000? 0 flush",
            "proxymap unix - - n - - proxymap",
            "smtp unix - - n - - smtp",
            "relay unix - - n - - smtp",
            "error unix - - n - - error",
            "retry unix - - n - - error",
            "discard unix - - n - - discard",
            "lmtp unix - - n - - lmtp",
            "anvil unix - - n - 1 anvil",
            "scache unix - - n - 1 scache",
            "postlog unix-dgram n - n - 1 postlogd",
        ];
        let (smtps, submission) = (self.smtps_port, self.submission_port);
        let signed_in = "-o smtpd_sasl_auth_enable=yes -o smtpd_tls_auth_only=yes -o smtpd_relay_restrictions=permit_sasl_authenticated,reject \
             -o smtpd_recipient_restrictions=permit_sasl_authenticated,reject";
        let master = format!(
            "127.0.0.1:{smtp} inet n - n - - smtpd\n\
             127.0.0.1:{smtps} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes {signed_in}\n\
             127.0.0.1:{submission} inet n - n - - smtpd -o smtpd_tls_security_level=encrypt {signed_in}\n{}\n",
            services.join("\n")
        );
        fs::write(self.at("pf/etc/master.cf"), master).unwrap();
    }

    fn postfix(&self, what: &str) {
        // A daemon of its own, with its output in a file: a pipe would never end.
        let output = fs::File::options().create(true).append(true).open(self.at("postfix.out")).unwrap();
        let mut command = Command::new("setsid");
        command.args(["/usr/sbin/postfix", "-c"]).arg(self.at("pf/etc")).arg(what);
        command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
        let status = command.status().unwrap();
        assert!(
            status.success() || what == "stop",
            "{}",
            fs::read_to_string(self.at("postfix.out")).unwrap()
        );
    }

    /// Whether mails are kept where they were taken, and not brought into their mailboxes.
    pub(crate) fn holds(&self, holds: bool) {
        let transports = if holds { "lmtp" } else { "" };
        let mut command = Command::new("/usr/sbin/postconf");
        command.arg("-c").arg(self.at("pf/etc")).arg("-e").arg(format!("defer_transports = {transports}"));
        run(&mut command);
        self.postfix("reload");
    }

    /// Starts Dovecot again after [`MailHost::stop_dovecot`].
    pub(crate) async fn start_dovecot(&mut self) {
        let output = fs::File::options().create(true).append(true).open(self.at("dovecot.out")).unwrap();
        let child = Command::new("setsid")
            .args(["/usr/sbin/dovecot", "-F", "-c"])
            .arg(self.at("dovecot.conf"))
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        self.dovecot = Some(child);
        let port = self.imap_port;
        eventually("dovecot listens", SOON, || async { TcpStream::connect(("127.0.0.1", port)).ok() }).await;
    }

    pub(crate) fn stop_dovecot(&mut self) {
        let Some(mut child) = self.dovecot.take() else { return };
        run(Command::new("kill").arg(child.id().to_string()));
        child.wait().unwrap();
    }

    /// A table of `channels.toml` for one of its mailboxes.
    pub(crate) fn account(&self, name: &str, address: &str) -> String {
        let (imap, smtp) = (self.imap_port, self.smtp_port);
        format!(
            "[[email]]\naccount = \"{name}\"\naddress = \"{address}\"\nname = \"North & Needle\"\nimap = \"imap://127.0.0.1:{imap}\"\n\
             smtp = \"smtp://127.0.0.1:{smtp}\"\npassword = {{ file = \"mail.secret\" }}\nsignature = \"North & Needle\"\n"
        )
    }

    /// As [`MailHost::account`], encrypted from the first byte, signed in to as `sign_in` says.
    pub(crate) fn encrypted_account(&self, name: &str, address: &str, sign_in: &str) -> String {
        let (imap, smtp) = (self.imaps_port, self.smtps_port);
        format!(
            "[[email]]\naccount = \"{name}\"\naddress = \"{address}\"\nimap = \"imaps://localhost:{imap}\"\n\
             smtp = \"smtps://localhost:{smtp}\"\n{sign_in}\n"
        )
    }

    /// As [`MailHost::account`], encrypted after STARTTLS.
    pub(crate) fn starttls_account(&self, name: &str, address: &str, sign_in: &str) -> String {
        let (imap, smtp) = (self.imap_port, self.submission_port);
        format!(
            "[[email]]\naccount = \"{name}\"\naddress = \"{address}\"\nimap = \"imap+starttls://localhost:{imap}\"\n\
             smtp = \"smtp+starttls://localhost:{smtp}\"\n{sign_in}\n"
        )
    }

    /// The mailbox is set up anew on the server: its mails have other numbers from now on.
    pub(crate) fn renumber(&self, user: &str) {
        for entry in fs::read_dir(self.at("mail").join(user)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if name.starts_with("dovecot-uid") || name.starts_with("dovecot.index") {
                fs::remove_file(path).unwrap();
            }
        }
    }

    pub(crate) fn password() -> &'static str {
        PASSWORD
    }

    /// A customer's mail client sends.
    pub(crate) async fn send(&self, from: &str, to: &str, mail: &str) {
        self.send_bytes(from, to, mail.replace('\n', "\r\n").as_bytes()).await;
    }

    pub(crate) async fn send_bytes(&self, from: &str, to: &str, mail: &[u8]) {
        tokio::time::timeout(SOON * 3, self.try_send(from, to, mail)).await.unwrap();
    }

    async fn try_send(&self, from: &str, to: &str, mail: &[u8]) {
        let stream = tokio::net::TcpStream::connect(("127.0.0.1", self.smtp_port)).await.unwrap();
        let (read, mut write) = stream.into_split();
        let mut lines = BufReader::new(read).lines();
        let mut step = async |say: Option<Vec<u8>>, expected: char| {
            if let Some(say) = say {
                write.write_all(&say).await.unwrap();
            }
            loop {
                let line = lines.next_line().await.unwrap().unwrap();
                if line.as_bytes().get(3) != Some(&b'-') {
                    assert!(line.starts_with(expected), "{line}");
                    return;
                }
            }
        };
        step(None, '2').await;
        step(Some(b"EHLO client.test\r\n".to_vec()), '2').await;
        step(Some(format!("MAIL FROM:<{from}>\r\n").into_bytes()), '2').await;
        step(Some(format!("RCPT TO:<{to}>\r\n").into_bytes()), '2').await;
        step(Some(b"DATA\r\n".to_vec()), '3').await;
        step(Some([mail, b"\r\n.\r\n"].concat()), '2').await;
        step(Some(b"QUIT\r\n".to_vec()), '2').await;
    }

    /// All mails of a mailbox, as they lie there.
    pub(crate) fn mails(&self, user: &str) -> Vec<String> {
        let mut found = Vec::new();
        for folder in ["new", "cur"] {
            let Ok(files) = fs::read_dir(self.at("mail").join(user).join(folder)) else { continue };
            // One that the server moves or takes out meanwhile is not there.
            let there = files.filter_map(|file| fs::read(file.unwrap().path()).ok());
            found.extend(there.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()));
        }
        found
    }

    /// Waits for a mail in a mailbox that holds this text.
    pub(crate) async fn arrives(&self, user: &str, text: &str) -> String {
        eventually(&format!("{user} gets {text:?}"), Duration::from_secs(40), || async {
            self.mails(user).into_iter().find(|mail| mail.contains(text))
        })
        .await
    }

    /// How the server groups a mailbox's mails into threads (RFC 5256, as mail clients do it).
    pub(crate) async fn threads(&self, user: &str) -> String {
        tokio::time::timeout(SOON, self.try_threads(user)).await.unwrap()
    }

    async fn try_threads(&self, user: &str) -> String {
        let stream = tokio::net::TcpStream::connect(("127.0.0.1", self.imap_port)).await.unwrap();
        let (read, mut write) = stream.into_split();
        let mut lines = BufReader::new(read).lines();
        let mut threads = String::new();
        let login = format!("LOGIN {user} {PASSWORD}");
        for (tag, command) in
            [("a", login.as_str()), ("b", "SELECT INBOX"), ("c", "THREAD REFERENCES UTF-8 ALL")]
        {
            write.write_all(format!("{tag} {command}\r\n").as_bytes()).await.unwrap();
            loop {
                let line = lines.next_line().await.unwrap().unwrap();
                if let Some(found) = line.strip_prefix("* THREAD ") {
                    found.clone_into(&mut threads);
                }
                if let Some(done) = line.strip_prefix(&format!("{tag} ")) {
                    assert!(done.starts_with("OK"), "{line}");
                    break;
                }
            }
        }
        threads
    }

    /// What the servers wrote down, for a failed test.
    pub(crate) fn log(&self) -> String {
        let read = |name: &str| fs::read_to_string(self.at(name)).unwrap_or_default();
        format!("{}\n{}", read("pf/maillog"), read("dovecot.log"))
    }
}

impl Drop for MailHost {
    fn drop(&mut self) {
        self.postfix("stop");
        self.stop_dovecot();
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
