//! Every page at every size, in both lights and both languages: nothing hangs over the edge. With a picture of each.
//!
//! The pictures go to the folder that `WINTERBAND_SHOTS` names; those of the README are among them.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::browser::{Browser, id};
use crate::desk::{Agent, password};
use crate::driver::Driver;
use crate::scene::{self, Letter};
use crate::shop::Customer;

const WIDE: (&str, u32, u32) = ("wide", 1280, 800);
const NARROW: (&str, u32, u32) = ("narrow", 390, 844);
const SCHEMES: [&str; 2] = ["light", "dark"];
const LANGUAGES: [&str; 2] = ["en", "nl"];
/// Most bytes of a picture that the README shows.
const README_PICTURE_BYTES_MAX: usize = 250_000;

/// What reaches over the right edge: the page itself, and parts that no frame of their own cuts off.
const OVER: &str = r"
(() => {
  const edge = innerWidth + 1;
  const parent = (node) => node.parentElement ?? node.getRootNode().host ?? null;
  const cut = (node) => {
    for (let at = parent(node); at && at !== document.body; at = parent(at)) {
      const isFrame = getComputedStyle(at).overflowX !== 'visible';
      if (isFrame && at.getBoundingClientRect().right <= edge) return true;
    }
    return false;
  };
  const hangs = (node) => node instanceof HTMLElement && node.checkVisibility()
    && node.getBoundingClientRect().right > edge && !cut(node);
  const over = all('body *, .root *').filter(hangs).map((node) => node.outerHTML.slice(0, 120));
  const page = document.scrollingElement;
  if (page.scrollWidth > innerWidth) over.unshift(`the page is ${page.scrollWidth} wide`);
  return over;
})()
";

/// Where the pictures go.
pub(crate) struct Shots {
    folder: PathBuf,
}

impl Shots {
    pub(crate) fn new(otherwise: &Path) -> Self {
        let folder = std::env::var_os("WINTERBAND_SHOTS").map_or(otherwise.join("shots"), PathBuf::from);
        std::fs::create_dir_all(&folder).unwrap();
        Self { folder }
    }

    /// Takes one picture as it is.
    pub(crate) async fn take(&self, browser: &Browser, name: &str) -> usize {
        let picture = browser.picture().await;
        std::fs::write(self.folder.join(format!("{name}.png")), &picture).unwrap();
        picture.len()
    }

    /// Looks at a page at some sizes and in both lights.
    pub(crate) async fn all(
        &self,
        browser: &Browser,
        name: &str,
        language: &str,
        sizes: &[(&str, u32, u32)],
    ) {
        for (size, width, height) in sizes {
            browser.resize(*width, *height).await;
            for scheme in SCHEMES {
                browser.prefer(scheme).await;
                let name = format!("{name}-{size}-{scheme}-{language}");
                let over = browser.read(OVER).await;
                assert_eq!(over, json!([]), "{name}: over the edge");
                let bytes = self.take(browser, &name).await;
                assert!(bytes > 5_000, "{name} is empty");
            }
        }
        browser.resize(WIDE.1, WIDE.2).await;
        browser.prefer("light").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_fit_at_every_size_in_both_lights_and_languages() {
    let up = scene::started().await;
    let mut driver = Driver::start().await;
    let shots = Shots::new(up.folder());
    let url = up.url();
    let browser = driver.open("anna", &url).await;
    sign_in_pages(&browser, &url, &shots).await;
    let anna = Agent::sign_in(browser, &url, "anna", &password(&up, "anna")).await;
    anna.goes_online().await;
    shots.all(&anna.browser, "desk-empty", "en", &[WIDE, NARROW]).await;

    let customer = Customer::enter(driver.open("customer", &url).await, &url).await;
    chat(&anna, &customer).await;
    shots.readme(&customer.browser, "shop").await;
    shop_pages(&customer, &url, &shots).await;
    chat_ends(&anna, &customer, &shots).await;

    settled_before(&up, &anna).await;
    scene::as_shipped(&up).await;
    returning(&up, &anna).await;
    shots.readme(&anna.browser, "desk").await;
    anna.accepts().await;
    scene::patient(&up).await;
    let words = "And would you mend the sleeve of a child's coat as well?";
    customer.writes(words).await;
    assert!(anna.offer().await.words.contains(words));
    desk_pages(&anna, &shots).await;
    for browser in [&anna.browser, &customer.browser] {
        browser.is_quiet(&[]).await;
    }
    scene::balances(&up).await;
}

impl Shots {
    /// A picture for the README, small enough for it.
    async fn readme(&self, browser: &Browser, name: &str) {
        browser.resize(WIDE.1, WIDE.2).await;
        browser.prefer("light").await;
        let bytes = self.take(browser, name).await;
        assert!(bytes < README_PICTURE_BYTES_MAX, "{name}: {bytes} bytes");
    }
}

async fn sign_in_pages(browser: &Browser, url: &str, shots: &Shots) {
    browser.resize(WIDE.1, WIDE.2).await;
    browser.visit(&format!("{url}/desk")).await;
    browser.sees(&id("signin-name")).await;
    for language in LANGUAGES.iter().rev() {
        browser.click(&id(&format!("language-{language}"))).await;
        shots.all(browser, "sign-in", language, &[WIDE, NARROW]).await;
    }
    browser.is_quiet(&["/desk/api/me"]).await;
}

/// A customer who was helped before, so that they have a history.
async fn settled_before(up: &tests::Up, anna: &Agent) {
    let joost =
        |id, text| Letter { id, from: "joost@example.com", name: "Joost Bakker", category: "question", text };
    scene::letter(up, &joost("1", "Do you mend zips as well? Mine gave way after two winters.")).await;
    anna.offer().await;
    anna.accepts().await;
    anna.writes("We do, and it costs nothing. Shall I send you a bag for it?").await;
    anna.reads("from_agent", "We do, and it costs nothing. Shall I send you a bag for it?").await;
    scene::letter(up, &joost("2", "Yes please! It is the Harbour coat, size L.")).await;
    anna.reads("from_customer", "Yes please! It is the Harbour coat, size L.").await;
    anna.resolves().await;
}

async fn chat(anna: &Agent, customer: &Customer) {
    customer.writes("Hello! A moth found my Fellside jumper before I did. Can you save it?").await;
    anna.offer().await;
    anna.accepts().await;
    for (asked, answered) in [
        (None, "Poor jumper. How large is the hole, and where?"),
        (
            Some("About the size of a penny, on the left elbow"),
            "Then it is an easy one: we darn it in the same wool.",
        ),
        (Some("Would a darker thread look odd?"), "Not at all. Many ask for it, to let the mending show."),
    ] {
        if let Some(asked) = asked {
            customer.writes(asked).await;
            anna.reads("from_customer", asked).await;
        }
        anna.writes(answered).await;
        customer.reads(answered).await;
    }
}

/// The contact that the agent has before them, and one who was here before and asks again.
async fn returning(up: &tests::Up, anna: &Agent) {
    let mira =
        |id, text| Letter { id, from: "mira@example.com", name: "Mira de Wit", category: "return", text };
    scene::letter(
        up,
        &mira("3", "The Beacon hat I ordered is lovely, but it is two sizes too large for my son."),
    )
    .await;
    anna.offer().await;
    anna.accepts().await;
    scene::letter(up, &mira("4", "Could I have a smaller one before the ice festival on Saturday?")).await;
    anna.reads("from_customer", "Could I have a smaller one before the ice festival on Saturday?").await;
    anna.writes("Good morning Mira! A small one leaves us today, so it is with you on Thursday.").await;
    anna.notes("Sent by hand with the morning post; she may keep the large one for next year.").await;
    anna.writes("Keep the large one until he has grown into it. It is on us.").await;
    anna.reads("from_agent", "Keep the large one until he has grown into it. It is on us.").await;
    scene::letter(up, &mira("5", "That is so kind, thank you!")).await;
    anna.reads("from_customer", "That is so kind, thank you!").await;

    let words = "The bag has come. Do I take the belt off the coat before I send it?";
    let back = Letter {
        id: "6",
        from: "joost@example.com",
        name: "Joost Bakker",
        category: "question",
        text: words,
    };
    scene::letter(up, &back).await;
    let offer = anna.offer().await;
    assert_eq!(offer.words, words);
    anna.browser.click(&format!("{} summary", id("offer-history"))).await;
    anna.browser.click(&id("why-me-open")).await;
}

async fn shop_pages(customer: &Customer, url: &str, shots: &Shots) {
    let browser = &customer.browser;
    fits_with_wide_letters(browser, url).await;
    for language in LANGUAGES {
        // The shop is English; a Dutch page has the same tag and its own language.
        let embed = "document.querySelector('#winterband-widget').remove();
            const tag = document.createElement('script');
            const shop = document.querySelector('script[data-account]');
            for (const { name, value } of shop.attributes) tag.setAttribute(name, value);
            tag.dataset.lang = arguments[0];
            document.head.append(tag);";
        browser.visit(&format!("{url}/shop")).await;
        browser.sees(&id("wb-panel")).await;
        browser.run(embed, json!([language])).await.unwrap();
        browser.sees(&format!(".root[lang={language}] {}", id("wb-panel"))).await;
        customer.is("with_agent").await;
        browser.sees(r#"[data-testid="wb-entry"][data-kind="agent"]"#).await;
        shots.all(browser, "chat", language, &[WIDE, NARROW]).await;
        browser.click("button.close").await;
        browser.misses(&id("wb-panel")).await;
        shots.all(browser, "shop-closed", language, &[WIDE, NARROW]).await;
        browser.click(&id("wb-open")).await;
    }
}

/// Another machine has other fonts, some of them wider.
async fn fits_with_wide_letters(browser: &Browser, url: &str) {
    browser.visit(&format!("{url}/shop")).await;
    browser.sees(&id("wb-panel")).await;
    browser.resize(NARROW.1, NARROW.2).await;
    let spacing =
        "document.body.style.letterSpacing = '.25em', getComputedStyle(document.body).letterSpacing";
    assert_eq!(browser.read(spacing).await, "4px");
    assert_eq!(browser.read(OVER).await, json!([]), "the shop with wide letters: over the edge");
    browser.resize(WIDE.1, WIDE.2).await;
}

/// The end of the chat, as both see it.
async fn chat_ends(anna: &Agent, customer: &Customer, shots: &Shots) {
    anna.browser.click(&id("resolve")).await;
    anna.browser.click(&id("resolve-answered")).await;
    anna.browser.sees(&id("wrapup")).await;
    shots.all(&anna.browser, "desk-wrap-up", "en", &[WIDE, NARROW]).await;
    anna.browser.click(&id("wrapup-end")).await;
    anna.browser.misses(&id("contact-item")).await;
    customer.is("resolved").await;
    let browser = &customer.browser;
    browser.sees(&id("wb-thank")).await;
    shots.all(browser, "chat-ended", "nl", &[WIDE, NARROW]).await;
    browser.pastes(&id("wb-thank-words"), "You saved my favourite jumper!").await;
    browser.click(&id("wb-thank")).await;
    browser.misses(&id("wb-thank")).await;
    let thanked = browser.read(&format!("all('{}')[0].textContent", id("wb-thanked"))).await;
    assert!(thanked.as_str().unwrap().starts_with("Je dank gaat naar"), "{thanked}");
    shots.all(browser, "chat-thanked", "nl", &[WIDE, NARROW]).await;
}

async fn desk_pages(anna: &Agent, shots: &Shots) {
    let browser = &anna.browser;
    for language in LANGUAGES {
        browser.click(&id("settings")).await;
        browser.click(&id(&format!("language-{language}"))).await;
        shots.all(browser, "desk-settings", language, &[WIDE, NARROW]).await;
        browser.click(&id("dialog-close")).await;
        shots.all(browser, "desk-conversation", language, &[WIDE, NARROW]).await;
        for (open, dialog) in
            [("transfer", "transfer-dialog"), ("resolve", "resolve-dialog"), ("help", "help-dialog")]
        {
            browser.click(&id(open)).await;
            browser.sees(&id(dialog)).await;
            shots.all(browser, &format!("desk-{open}"), language, &[WIDE, NARROW]).await;
            browser.click(&id("dialog-close")).await;
            browser.misses(&id(dialog)).await;
        }
        browser.click(&id("offer-decline")).await;
        browser.sees(&id("decline-form")).await;
        shots.all(browser, "desk-decline", language, &[WIDE]).await;
        browser.resize(NARROW.1, NARROW.2).await;
        browser.click(&id("back")).await;
        browser.sees(&id("decline-form")).await;
        shots.all(browser, "desk-decline", language, &[NARROW]).await;
        browser.click(&id("decline-cancel")).await;
        shots.all(browser, "desk-list", language, &[WIDE, NARROW]).await;
        browser.click(&format!("li:last-child > {}", id("contact-item"))).await;
        browser.sees(&id("reply")).await;
    }
}
