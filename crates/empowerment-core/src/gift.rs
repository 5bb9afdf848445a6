//! Whether something can be given: the checks, and the ruling of the cards. The till asks here too, so that both agree.

use protocol::facts::FactValues;
use protocol::limits::{AMOUNT_CENTS_MAX, PROMISE_MS_MAX};
use protocol::policy::{Ask, Policy};
use protocol::remedies::RemedyRefusal;
use protocol::remedy::{Claim, ContactContext, Gift, GiftKey, Occasion, RemedyKind};
use protocol::{AgentId, Currency, Language, Millis, Money, RemedyId, SubjectToken};

use crate::book::fits;
use crate::config::CLAIM;
use crate::limits::{SEALED_TELL_BYTES_MAX, SEALED_WORDS_BYTES_MAX};
use crate::rules::{Case, CompiledPolicy, Judged, Ruling, Verdict, occasion_of};
use crate::state::State;
use crate::wallets::Scopes;

/// Who wants to give what, where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Want<'a> {
    pub(crate) agent: AgentId,
    pub(crate) context: &'a ContactContext,
    pub(crate) gift: &'a Gift,
}

/// What the policy says of it.
#[derive(Clone, Debug)]
pub(crate) struct Weighed {
    pub(crate) card: Option<SubjectToken>,
    pub(crate) verdict: Verdict,
    pub(crate) currency: Currency,
    /// Whether a card for surprises that gives this holds.
    pub(crate) is_surprise: bool,
    pub(crate) facts: FactValues,
    pub(crate) language: Language,
    pub(crate) undo_ms: u64,
}

/// Whether something is given unasked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Within {
    Yes,
    /// So much is, and who is asked for more.
    Beyond {
        up_to: u64,
        ask: Ask,
    },
}

/// Cents as money, never more than is not absurd.
pub(crate) fn money(cents: u64, currency: Currency) -> Money {
    Money { cents: i64::try_from(cents).unwrap_or(AMOUNT_CENTS_MAX).min(AMOUNT_CENTS_MAX), currency }
}

/// What a gift costs, cents.
pub(crate) fn cents_of(gift: &Gift) -> u64 {
    gift.money.map_or(0, |money| u64::try_from(money.cents).unwrap_or(0))
}

/// What makes a gift the same as another.
pub(crate) fn key_of(context: &ContactContext, gift: &Gift) -> Option<GiftKey> {
    key_on_top(context, &gift.claim, gift.on_top_of)
}

/// `None` never happens: a contact's id is a token. What is practised on an order takes nothing from what can be given for it.
fn key_on_top(context: &ContactContext, claim: &Claim, on_top_of: Option<RemedyId>) -> Option<GiftKey> {
    let order = claim.order.clone().filter(|_| !context.practice);
    Some(GiftKey {
        about: order.or_else(|| SubjectToken::new(&context.contact.to_string()).ok())?,
        line: claim.line.clone(),
        reason: claim.reason.clone(),
        incident: claim.incident.clone(),
        on_top_of,
    })
}

pub(crate) fn not_found(what: &str) -> RemedyRefusal {
    RemedyRefusal::NotFound { what: what.into() }
}

pub(crate) fn bad_input(says: impl Into<String>) -> RemedyRefusal {
    RemedyRefusal::BadInput { says: says.into() }
}

fn bad_amount(says: impl Into<String>) -> RemedyRefusal {
    RemedyRefusal::BadAmount { says: says.into() }
}

fn malformed(says: impl Into<String>) -> RemedyRefusal {
    RemedyRefusal::Malformed { says: says.into() }
}

/// The ruling's card and verdict as the state writes them.
pub(crate) fn card_of(policy: &Policy, ruling: &Ruling) -> Option<SubjectToken> {
    Some(policy.cards.get(ruling.card?)?.id.clone())
}

impl State {
    pub(crate) fn compiled(&self) -> Result<&CompiledPolicy, RemedyRefusal> {
        self.policy.as_ref().ok_or(RemedyRefusal::NoPolicy)
    }

    pub(crate) fn case_of(
        &self,
        at: Millis,
        policy: &CompiledPolicy,
        context: &ContactContext,
        claim: &Claim,
    ) -> Case {
        policy.case(claim.clone(), self.known_facts(at, context, claim))
    }

    /// What one who holds the contact may not do whatever the policy: give what is another's, or to themselves.
    pub(crate) fn check_holder(&self, agent: AgentId, context: &ContactContext) -> Result<(), RemedyRefusal> {
        if context.holder != Some(agent) {
            return Err(RemedyRefusal::NotYours);
        }
        if self.is_own(agent, context.identity) { Err(RemedyRefusal::OwnIdentity) } else { Ok(()) }
    }

    /// A claim needs no proof, but its words must be the policy's.
    pub(crate) fn check_claim(&self, policy: &Policy, claim: &Claim) -> Result<(), RemedyRefusal> {
        if let Some(reason) = &claim.reason
            && !policy.reasons.iter().any(|known| known.name == *reason)
        {
            return Err(not_found("reason"));
        }
        if let Some(price) = claim.price {
            check_amount(policy, price)?;
        }
        for (name, value) in &claim.facts {
            let entry = policy.facts.iter().find(|entry| entry.name == *name);
            let claimed = entry.filter(|entry| entry.source.as_str() == CLAIM);
            let claimed = claimed
                .ok_or_else(|| bad_input(format!("{name} is nothing that an agent can say: leave it out")))?;
            if !fits(claimed, value) {
                return Err(bad_input(format!("{name} has another type: say it as the policy does")));
            }
        }
        Ok(())
    }

    /// Everything about a gift that no card has to be asked for.
    pub(crate) fn check_gift(&self, at: Millis, want: Want<'_>) -> Result<(), RemedyRefusal> {
        let policy = self.compiled()?.policy();
        let gift = want.gift;
        self.check_claim(policy, &gift.claim)?;
        match gift.money {
            Some(money) => check_amount(policy, money)?,
            None if gift.kind.has_price() => {
                return Err(bad_amount(format!("say how much: a {} has an amount", gift.kind.as_str())));
            }
            None => {}
        }
        if gift.occasion == Occasion::Failure && occasion_of(policy, &gift.claim) != Occasion::Failure {
            return Err(malformed("name the failure of ours that this makes good, or give it out of trust"));
        }
        if let Some(due) = gift.due {
            check_due(at, due)?;
        }
        check_sealed(gift.words.as_ref(), SEALED_WORDS_BYTES_MAX)?;
        check_sealed(gift.tell.as_ref(), SEALED_TELL_BYTES_MAX)
    }

    /// The gift's key, if nothing was given under it.
    ///
    /// # Errors
    /// `AlreadyGiven` by the last that was given for the same thing, so that who means to can give on top of that.
    pub(crate) fn free_key(&self, context: &ContactContext, gift: &Gift) -> Result<GiftKey, RemedyRefusal> {
        let key = key_of(context, gift).ok_or_else(|| not_found("contact"))?;
        if let Some(below) = gift.on_top_of {
            let is_same = |known: &GiftKey| GiftKey { on_top_of: key.on_top_of, ..known.clone() } == key;
            if !self.given_under(below).is_some_and(is_same) {
                return Err(malformed(
                    "what this is given on top of was taken back, or is for something else",
                ));
            }
        }
        match self.last_given(&key) {
            Some(remedy) => Err(RemedyRefusal::AlreadyGiven { remedy }),
            None => Ok(key),
        }
    }

    /// What was given under a key, and if more was given on top of that, the last of it.
    pub(crate) fn last_given(&self, key: &GiftKey) -> Option<RemedyId> {
        let mut last = *self.index.given.get(key)?;
        let mut above = GiftKey { on_top_of: Some(last), ..key.clone() };
        // Ends: what is on top is always younger.
        while let Some(remedy) = self.index.given.get(&above).copied().filter(|remedy| *remedy > last) {
            last = remedy;
            above.on_top_of = Some(last);
        }
        Some(last)
    }

    /// What was given for the same thing as this claim, the last of it.
    pub(crate) fn given_for(&self, context: &ContactContext, claim: &Claim) -> Option<RemedyId> {
        self.last_given(&key_on_top(context, claim, None)?)
    }

    /// Asks the cards.
    pub(crate) fn weigh(&self, at: Millis, want: Want<'_>) -> Result<Weighed, RemedyRefusal> {
        let policy = self.compiled()?;
        let Want { agent, context, gift } = want;
        let claim = &gift.claim;
        let currency = gift.money.map(|money| money.currency).or_else(|| first_currency(policy.policy()));
        // Neither is ever missing: a policy without languages or currencies is refused.
        let currency = currency.ok_or(RemedyRefusal::NoPolicy)?;
        let language = self.language_of(context).ok_or(RemedyRefusal::NoPolicy)?;
        let case = self.case_of(at, policy, context, claim);
        let judged = policy.judge(&case);
        let scopes = Scopes { context, agent, incident: claim.incident.as_ref(), at };
        let ruling = self.ruling(&judged, &scopes, gift.kind, gift.occasion, currency);
        let is_surprise = judged.surprises().any(|(_, kind)| kind == gift.kind);
        let card = card_of(policy.policy(), &ruling);
        Ok(Weighed {
            card,
            verdict: ruling.verdict,
            currency,
            is_surprise,
            facts: case.facts,
            language,
            undo_ms: policy.policy().undo_ms,
        })
    }

    pub(crate) fn ruling(
        &self,
        judged: &Judged<'_>,
        scopes: &Scopes<'_>,
        kind: RemedyKind,
        occasion: Occasion,
        currency: Currency,
    ) -> Ruling {
        let signals = self.signal_effect(scopes.at, scopes.context.identity, currency);
        let used = |per| self.used(scopes, per, currency);
        judged.ruling(kind, occasion, currency, &used, signals)
    }
}

impl Weighed {
    /// Whether it is given unasked.
    ///
    /// # Errors
    /// `NotAllowed`, and nothing else.
    pub(crate) fn within(&self, gift: &Gift) -> Result<Within, RemedyRefusal> {
        match self.verdict {
            Verdict::Yes { up_to, .. } if cents_of(gift) <= up_to => Ok(Within::Yes),
            Verdict::Yes { up_to, beyond, .. } => Ok(Within::Beyond { up_to, ask: beyond }),
            Verdict::Ask { whom } => Ok(Within::Beyond { up_to: 0, ask: whom }),
            Verdict::NotAllowed { because } => match self.card.clone() {
                Some(card) => Err(RemedyRefusal::NotAllowed { because, card }),
                // Never happens: only a card forbids. Were it so, a lead can still say yes.
                None => Ok(Within::Beyond { up_to: 0, ask: Ask::AskLead }),
            },
        }
    }
}

pub(crate) fn first_currency(policy: &Policy) -> Option<Currency> {
    policy.currencies.first().copied()
}

pub(crate) fn check_currency(policy: &Policy, currency: Currency) -> Result<(), RemedyRefusal> {
    if policy.currencies.contains(&currency) {
        return Ok(());
    }
    let known: Vec<_> = policy.currencies.iter().map(ToString::to_string).collect();
    Err(RemedyRefusal::UnknownCurrency { currency, known: known.join(", ") })
}

fn check_amount(policy: &Policy, money: Money) -> Result<(), RemedyRefusal> {
    check_currency(policy, money.currency)?;
    if money.cents <= 0 {
        return Err(bad_amount("write an amount above zero, or none at all"));
    }
    if money.cents > AMOUNT_CENTS_MAX {
        let most = Money { cents: AMOUNT_CENTS_MAX, currency: money.currency };
        return Err(bad_amount(format!("{money} is beyond all sense: write at most {most}")));
    }
    Ok(())
}

/// A time that is promised lies ahead, and not too far.
pub(crate) fn check_due(at: Millis, due: Millis) -> Result<(), RemedyRefusal> {
    if due <= at {
        return Err(bad_input("that time is over: promise one that is to come"));
    }
    if due > at.plus(PROMISE_MS_MAX) {
        return Err(bad_input(format!(
            "that is too far ahead: promise at most {} days",
            PROMISE_MS_MAX / protocol::time::DAY_MS
        )));
    }
    Ok(())
}

pub(crate) fn check_sealed(
    sealed: Option<&protocol::content::Sealed>,
    bytes_max: usize,
) -> Result<(), RemedyRefusal> {
    let len = sealed.map_or(0, |sealed| sealed.as_str().len());
    if len > bytes_max {
        return Err(bad_input(format!(
            "these words have {len} bytes when sealed: at most {bytes_max} are taken"
        )));
    }
    Ok(())
}
