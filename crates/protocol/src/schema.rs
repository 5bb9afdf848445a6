//! JSON Schemas of the types that have a text form of their own; all others have theirs from serde's attributes.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::audit::Hash256;
use crate::facts::FactName;
use crate::hash::Hash128;
use crate::hours::{Day, Span};
use crate::money::Currency;
use crate::token::{Language, SkillLevel, SubjectToken};

macro_rules! text {
    ($name:ident, $pattern:literal) => {
        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": $pattern })
            }
        }
    };
}

text!(SubjectToken, "^[A-Za-z0-9_-]{1,64}$");
text!(Language, "^[a-z]{2}$");
text!(Currency, "^[A-Z]{3}$");
text!(Hash256, "^[0-9a-f]{64}$");
text!(Hash128, "^[0-9a-f]{32}$");
text!(FactName, "^[a-z][a-z0-9_]{0,31}\\.[a-z][a-z0-9_]{0,31}$");
text!(Day, "^[0-9]{4}-[0-9]{2}-[0-9]{2}$");
text!(Span, "^[0-9]{2}:[0-9]{2}-[0-9]{2}:[0-9]{2}$");

impl JsonSchema for SkillLevel {
    fn schema_name() -> Cow<'static, str> {
        "SkillLevel".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": 1, "maximum": 5 })
    }
}
