//! Types as the documents need them: by name, as a part of a document, and alone.

use std::borrow::Cow;
use std::collections::BTreeMap;

use protocol::api::{RemedyOrder, RemedyOrderAnswer};
use protocol::edge::{RejectionsPage, RejectionsQuestion};
use protocol::integration::webhook::WebhookEvent;
use protocol::integration::{EventsQuestion, PublicEvent};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::Value;

use crate::contract::routes;

/// A type of the contract.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub(super) name: fn() -> Cow<'static, str>,
    part: fn(&mut SchemaGenerator) -> Schema,
    alone: fn() -> Schema,
}

/// A document of this contract, as an answer.
pub(super) type Document = serde_json::Map<String, Value>;

/// The shape of a type.
pub(super) const fn of<T: JsonSchema>() -> Shape {
    Shape { name: T::schema_name, part: SchemaGenerator::subschema_for::<T>, alone: alone::<T> }
}

fn alone<T: JsonSchema>() -> Schema {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>()
}

impl Shape {
    /// As a reference into the document that the generator is for.
    pub(super) fn part(self, generator: &mut SchemaGenerator) -> Value {
        (self.part)(generator).to_value()
    }
}

/// What collects the schemas of a document under `/components/schemas`.
pub(super) fn generator() -> SchemaGenerator {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = Cow::Borrowed("/components/schemas");
    });
    settings.into_generator()
}

/// Every body and event with its schema, in the order of their names.
#[must_use]
pub fn listed() -> Vec<(String, Value)> {
    let of_routes =
        routes::lines().into_iter().flat_map(|line| [line.body, line.answer.map(|(_, shape)| shape)]);
    let others = [
        of::<PublicEvent>(),
        of::<WebhookEvent>(),
        of::<RemedyOrder>(),
        of::<RemedyOrderAnswer>(),
        of::<EventsQuestion>(),
        of::<RejectionsQuestion>(),
        of::<RejectionsPage>(),
    ];
    // A document stands for itself.
    let all = of_routes.flatten().chain(others).filter(|shape| (shape.name)() != Document::schema_name());
    let named: BTreeMap<String, Value> =
        all.map(|shape| ((shape.name)().into_owned(), (shape.alone)().to_value())).collect();
    named.into_iter().collect()
}
