//! What a test in browsers starts from: `winterband up`, on a floor where nothing ends because the machine is slow.

use futures_util::StreamExt as _;
use serde_json::json;
use tests::Up;
use tests::look::DEMO_FLOOR;

/// What ends by itself on the demo floor, and how long it lasts here: the ends are tested elsewhere.
const PATIENCE: [(&str, &str); 2] =
    [("offer = \"30s\"", "offer = \"10m\""), ("wrap_up = \"20s\"", "wrap_up = \"10m\"")];

/// Starts the product as a person does.
pub(crate) async fn started() -> Up {
    let up = Up::started().await;
    patient(&up).await;
    up
}

/// Puts the demo floor in force, but with ends that wait for a slow machine.
pub(crate) async fn patient(up: &Up) {
    let mut floor = DEMO_FLOOR.to_owned();
    for (shipped, patient) in PATIENCE {
        assert!(floor.contains(shipped), "the demo floor has no `{shipped}` any more");
        floor = floor.replace(shipped, patient);
    }
    apply(up, &floor).await;
}

/// Puts the patient floor in force, supervised by Anna.
pub(crate) async fn supervised(up: &Up) {
    let floor = PATIENCE
        .iter()
        .fold(DEMO_FLOOR.to_owned(), |floor, (shipped, patient)| floor.replace(shipped, patient));
    let (plain, supervises) = ("title = \"Anna\"\n", "title = \"Anna\"\nrole = \"supervisor\"\n");
    assert!(floor.contains(plain), "the demo floor has no Anna any more");
    apply(up, &floor.replace(plain, supervises)).await;
}

/// Puts the patient floor in force with a bot beside its people.
pub(crate) async fn with_bot(up: &Up) {
    let bot = "\n[[agent]]\nname = \"helper\"\ntitle = \"Helper\"\nqueues = [\"service\"]\nskills = {}\ncapacity = { web = 5 }\nbot = true\nanswer_within = \"10m\"\n";
    let floor = PATIENCE
        .iter()
        .fold(DEMO_FLOOR.to_owned(), |floor, (shipped, patient)| floor.replace(shipped, patient));
    apply(up, &format!("{floor}{bot}")).await;
}

/// Puts the patient floor in force with one account of other systems more.
pub(crate) async fn with_account(up: &Up, name: &str) {
    let account = format!(
        "\n[[account]]\nchannel = \"api\"\nname = \"{name}\"\ntitle = \"The {name}\"\nqueue = \"service\"\npriority = 2\n"
    );
    let floor = PATIENCE
        .iter()
        .fold(DEMO_FLOOR.to_owned(), |floor, (shipped, patient)| floor.replace(shipped, patient));
    apply(up, &format!("{floor}{account}")).await;
}

/// Puts the demo floor in force as it is.
pub(crate) async fn as_shipped(up: &Up) {
    apply(up, DEMO_FLOOR).await;
}

async fn apply(up: &Up, routing: &str) {
    let file = up.folder().join("routing.toml");
    std::fs::write(&file, routing).unwrap();
    let url = up.url();
    let (code, out, err) = up.command(&["config", "apply", file.to_str().unwrap(), "--url", &url]).await;
    assert_eq!(code, 0, "{out}{err}");
}

/// Puts a floor in force that has so many agents more than the demo's; nobody of them is there.
pub(crate) async fn staffed(up: &Up, agents: usize) {
    let more = (0..agents).map(|n| {
        format!("\n[[agent]]\nname = \"a{n}\"\ntitle = \"Agent {n}\"\nqueues = [\"service\"]\nskills = {{}}\ncapacity = {{ api = 2 }}\n")
    });
    apply(up, &format!("{DEMO_FLOOR}{}", more.collect::<String>())).await;
}

/// So many customers write through the HTTP API, each for the first time.
pub(crate) async fn letters(up: &Up, count: usize, at_once: usize) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let (url, key) = (format!("{}/api/v1/messages", up.url()), up.admin_key());
    let sent = futures_util::stream::iter(0..count).map(|_| {
        let customer = uuid::Uuid::now_v7();
        let body = json!({
            "account": "shop",
            "id": customer,
            "from": { "value": customer },
            "category": "question",
            "text": "Where is my parcel?",
        });
        let request = client.post(&url).bearer_auth(&key).json(&body);
        async move { request.send().await.unwrap().status() }
    });
    let statuses: Vec<_> = sent.buffer_unordered(at_once).collect().await;
    assert!(statuses.iter().all(|status| *status == 202), "{:?}", statuses.iter().find(|one| **one != 202));
}

/// Counts the streams; they must balance.
pub(crate) async fn balances(up: &Up) {
    let (code, out, err) = up.command(&["ledger"]).await;
    assert_eq!(code, 0, "{out}{err}");
}

/// A message that another system publishes for a customer.
pub(crate) struct Letter {
    pub(crate) id: &'static str,
    pub(crate) from: &'static str,
    pub(crate) name: &'static str,
    pub(crate) category: &'static str,
    pub(crate) text: &'static str,
}

/// Publishes it through the HTTP API.
pub(crate) async fn letter(up: &Up, letter: &Letter) {
    let body = json!({
        "account": "shop",
        "id": letter.id,
        "from": { "value": letter.from, "name": letter.name },
        "category": letter.category,
        "text": letter.text,
    });
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let sent = client.post(format!("{}/api/v1/messages", up.url())).bearer_auth(up.admin_key()).json(&body);
    let answer = sent.send().await.unwrap();
    assert_eq!(answer.status(), 202, "{:?}", answer.text().await);
}
