//! `up`: the whole product in one process; `serve`: some roles of it.
#![expect(clippy::print_stdout, reason = "the sheet that a person reads at the start")]

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use bus::{ServerOptions, SupervisedServer};
use service::http::Gate;
use service::{Kit, Settings};
use tokio::net::TcpListener;

use crate::first_start::{self, Signin, Signins};
use crate::roles::{self, Role, Running, Shared};
use crate::{boot, exposure, first_start::Floor, members};

/// Where `deploy/run` puts a nats-server that it fetched.
pub(crate) const TOOLS_FOLDER: &str = ".tools";

/// How long a process that ends waits for the last spans to be sent.
const SPANS_WAIT: Duration = Duration::from_secs(2);

/// Runs everything until a signal.
pub(crate) async fn run(folder: Option<&Path>) -> Result<ExitCode> {
    let settings = Settings::load(folder)?;
    let floor = Floor::read(folder)?;
    let kit = boot::kit(settings)?;
    kit.drain.listen_for_signals()?;
    // Bound before anything starts, so that a second `up` is told at once.
    let doors = Doors::open(&kit).await?;
    let server = supervise(&kit).await?;
    let bus_settings = match &server {
        Some(server) => server.settings().named("winterband"),
        None => boot::bus_settings(&kit.settings, "winterband")?,
    };
    let shared = boot::shared(kit.clone(), &bus_settings).await?;
    let signins = first_start::prepare(&shared, &floor).await?;
    if let Some(server) = &server {
        api::integrations::keep_admitted(&shared.kit, &shared.bus, server.user_list()).await?;
    }
    let place = members::start(&kit, &shared.bus, &Role::ALL).await?;
    let running = roles::start(&shared, &Role::ALL).await?;
    // What a person reads on a terminal is gone; what goes into a file or a journal is read by whoever reads those.
    let reads = if std::io::stdout().is_terminal() { Reader::Person } else { Reader::Log };
    println!("{}", sheet(&kit.settings, server.is_some(), &signins, reads));
    let finished = finish(&shared, doors, running, place).await;
    if let Some(server) = server {
        server.stop().await;
    }
    finished.map(|()| ExitCode::SUCCESS)
}

/// Runs some roles on a bus that runs already.
pub(crate) async fn serve(folder: Option<&Path>, roles: &[Role]) -> Result<ExitCode> {
    let settings = Settings::load(folder)?;
    let floor = Floor::read(folder)?;
    let kit = boot::kit(settings)?;
    kit.drain.listen_for_signals()?;
    let doors = Doors::open(&kit).await?;
    let names: Vec<&str> = roles.iter().map(|role| role.name()).collect();
    let bus_settings = boot::bus_settings(&kit.settings, &roles::shared_name(roles))?;
    let shared = boot::shared(kit.clone(), &bus_settings).await?;
    if !kit.settings.nats.prepared {
        first_start::prepare(&shared, &floor).await?;
    }
    let place = members::start(&kit, &shared.bus, roles).await?;
    let running = roles::start(&shared, roles).await?;
    println!("winterband {} on http://{}", names.join(", "), kit.settings.http.listen);
    finish(&shared, doors, running, place).await?;
    Ok(ExitCode::SUCCESS)
}

/// Where we listen.
struct Doors {
    public: TcpListener,
    /// Health and metrics for whoever asks.
    watch: Option<TcpListener>,
}

impl Doors {
    async fn open(kit: &Kit) -> Result<Self> {
        let http = &kit.settings.http;
        if !http.dangerous_in_the_clear {
            for (setting, address) in
                [("http.listen", Some(http.listen)), ("http.watch_listen", http.watch_listen)]
            {
                address.map_or(Ok(()), |address| exposure::check(setting, address.ip()))?;
            }
        }
        let public = listen(http.listen, "http.listen").await?;
        let watch = match http.watch_listen {
            Some(address) => Some(listen(address, "http.watch_listen").await?),
            None => None,
        };
        Ok(Self { public, watch })
    }
}

async fn listen(address: SocketAddr, setting: &str) -> Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!("listen on {address}: is another Winterband running? Set {setting} to use another port")
    })
}

async fn supervise(kit: &Kit) -> Result<Option<SupervisedServer>> {
    if !kit.settings.nats.url.is_empty() {
        return Ok(None);
    }
    boot::make_folder(&kit.settings.data.folder)?;
    Ok(Some(SupervisedServer::start_with(&boot::nats_folder(&kit.settings), server_options()).await?))
}

/// How the server is run.
pub(crate) fn server_options() -> ServerOptions {
    ServerOptions { tools_dir: Some(PathBuf::from(TOOLS_FOLDER)), ..ServerOptions::default() }
}

/// Serves until told to end, then lets every task finish.
async fn finish(shared: &Shared, doors: Doors, running: Running, place: members::Place) -> Result<()> {
    let kit = &shared.kit;
    if let Some(listener) = doors.watch {
        let router = service::http::watch_router(kit.health.clone(), kit.metrics.clone());
        let (router, token) = (service::http::with_problems(router), kit.drain.token());
        kit.drain.spawn("watch", async move { Ok(service::http::serve(listener, router, token).await?) });
    }
    let router = running.router.clone().merge(service::http::router(kit.health.clone(), kit.metrics.clone()));
    let router = service::http::with_problems(router);
    let token = kit.drain.token();
    let (listener, gate) = (doors.public, Gate::new(&kit.settings));
    kit.drain
        .spawn("http", async move { Ok(service::http::serve_behind(listener, router, gate, token).await?) });
    kit.drain.started().await;
    tracing::info!("drains");
    let late = kit.drain.finish(kit.settings.drain.deadline).await;
    if late.is_empty() {
        place.leave().await;
    } else {
        // Those may still read: this process is one of those that live until it is forgotten.
        tracing::warn!(tasks = late.join(", "), "ended without waiting for all tasks");
    }
    running.drain().await;
    kit.traces.flush(SPANS_WAIT).await;
    kit.drain.why().map_or(Ok(()), |why| Err(MustEnd(why).into()))
}

/// Why a process ended that must not go on.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct MustEnd(String);

/// Who reads what we print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reader {
    Person,
    Log,
}

/// How the agents sign in.
fn agents_part(signins: &Signins, reader: Reader) -> String {
    let line = |signin: &Signin| format!("    {:<10} password {}\n", signin.name.as_str(), signin.password);
    match (signins.agents.as_slice(), reader) {
        ([], _) => String::new(),
        (agents, Reader::Person) => agents.iter().map(line).collect(),
        (_, Reader::Log) => {
            format!("    first passwords in {}\n", signins.agents_file.display())
        }
    }
}

/// What a person needs to begin.
fn sheet(settings: &Settings, supervises: bool, signins: &Signins, reader: Reader) -> String {
    let url = &settings.http.public_url;
    let data = settings.data.folder.display();
    let bus = if supervises { "its own nats-server" } else { settings.nats.url.as_str() };
    let shop = match settings.empowerment.shop_url.as_str() {
        _ if settings.empowerment.orders_wait => "fetches its orders itself",
        "" => "waits: no shop is named in empowerment.shop_url",
        url => url,
    };
    let agents = agents_part(signins, reader);
    let demo = if settings.has_demo_shop() {
        format!("The demo shop  {url}/shop        (open it in another window and write in the chat)\n  ")
    } else {
        String::new()
    };
    let key = match &signins.api_key_file {
        Some(file) => format!("key in {}", file.display()),
        None => "its first key was taken away".to_owned(),
    };
    format!(
        "\n  Winterband is up.\n\n  \
         The desk       {url}/desk\n{agents}\n  \
         {demo}The API        {url}/api/v1      ({key})\n  \
         Health         {url}/health/ready   metrics {url}/metrics\n  \
         What is given  {shop}\n  \
         Data           {data}            (on {bus})\n\n  \
         Ctrl-C ends it; started again, it goes on where it was.\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_passwords_are_shown_to_people_only() {
        let settings = Settings::defaults().unwrap();
        let anna = || Signin { name: "anna".parse().unwrap(), password: "Secret-1".to_owned() };
        let shown = |agents: Vec<Signin>, reader| {
            let agents_file = PathBuf::from("data/secrets/agents.txt");
            let signins = Signins { agents, agents_file, api_key_file: None };
            sheet(&settings, true, &signins, reader)
        };
        assert!(shown(vec![anna()], Reader::Person).contains("anna       password Secret-1"));
        let logged = shown(vec![anna()], Reader::Log);
        assert!(!logged.contains("Secret-1") && logged.contains("data/secrets/agents.txt"), "{logged}");
        assert!(!shown(Vec::new(), Reader::Log).contains("agents.txt"), "they have all changed theirs");
    }
}
