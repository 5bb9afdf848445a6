//! Reads enums whose kind stands in a field (`{"event": "queued", ...}`) without keeping their content in between.
//!
//! serde's own reader of internally tagged enums first copies everything into a tree, since the tag may stand anywhere; in records
//! that lie within one another each level copies again what the one above it copied. What we write has its tag first: then
//! the rest is read straight on. A tag that stands later (another writer, a sorted map) is still found, the slow way.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::{CowStrDeserializer, MapAccessDeserializer, MapDeserializer};
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, IgnoredAny, MapAccess, VariantAccess, Visitor,
};
use serde_json::Value;

/// An enum with a tag, and how it is read when its kind is known already.
pub(crate) trait Tagged<'de>: Sized {
    /// The field in which the kind stands.
    const TAG: &'static str;

    /// Reads it from a deserializer of `{kind: content}`.
    fn known<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;
}

/// Reads a tagged enum.
pub(crate) fn read<'de, T: Tagged<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_map(Outer(PhantomData))
}

/// Declares an enum that is written with its tag and read by [`read`].
macro_rules! tagged {
    ($tag:literal, $remote:literal, $shadow:ident; $(#[$meta:meta])* pub enum $name:ident $body:tt) => {
        $(#[$meta])*
        #[derive(Serialize)]
        #[serde(tag = $tag, rename_all = "snake_case")]
        pub enum $name $body

        /// The same enum once more, for serde to derive how its content is read.
        mod $shadow {
            use super::*;

            #[derive(Deserialize)]
            #[serde(remote = $remote, rename_all = "snake_case")]
            pub(super) enum $name $body
        }

        impl<'de> $crate::tagged::Tagged<'de> for $name {
            const TAG: &'static str = $tag;

            fn known<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $shadow::$name::deserialize(deserializer)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::tagged::read(deserializer)
            }
        }
    };
}
pub(crate) use tagged;

struct Outer<T>(PhantomData<T>);

impl<'de, T: Tagged<'de>> Visitor<'de> for Outer<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with a field `{}`", T::TAG)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        let Some(first) = map.next_key_seed(Word)? else { return Err(A::Error::missing_field(T::TAG)) };
        if first == T::TAG {
            let kind = map.next_value_seed(Word)?;
            return T::known(Known { kind, rest: map });
        }
        let mut rest = serde_json::Map::new();
        rest.insert(first.into_owned(), map.next_value()?);
        while let Some((key, value)) = map.next_entry::<String, Value>()? {
            if rest.insert(key, value).is_some() {
                return Err(A::Error::custom("a field stands twice"));
            }
        }
        let Some(Value::String(kind)) = rest.remove(T::TAG) else {
            return Err(A::Error::missing_field(T::TAG));
        };
        let rest = MapDeserializer::<_, serde_json::Error>::new(rest.into_iter());
        T::known(Known { kind: Cow::Owned(kind), rest }).map_err(A::Error::custom)
    }
}

/// A text, borrowed where the input allows it.
struct Word;

impl<'de> DeserializeSeed<'de> for Word {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Word {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a word")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

/// A kind and the fields after it, as serde reads an enum.
struct Known<'de, A> {
    kind: Cow<'de, str>,
    rest: A,
}

impl<'de, A: MapAccess<'de>> Deserializer<'de> for Known<'de, A> {
    type Error = A::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, A::Error> {
        visitor.visit_enum(self)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de, A: MapAccess<'de>> EnumAccess<'de> for Known<'de, A> {
    type Error = A::Error;
    type Variant = Fields<A>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Fields<A>), A::Error> {
        let kind = seed.deserialize(CowStrDeserializer::new(self.kind))?;
        Ok((kind, Fields(self.rest)))
    }
}

struct Fields<A>(A);

impl<'de, A: MapAccess<'de>> VariantAccess<'de> for Fields<A> {
    type Error = A::Error;

    fn unit_variant(mut self) -> Result<(), A::Error> {
        while self.0.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, A::Error> {
        seed.deserialize(MapAccessDeserializer::new(self.0))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, A::Error> {
        Err(A::Error::custom("a list cannot stand beside a tag"))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        visitor.visit_map(self.0)
    }
}

#[cfg(test)]
#[expect(unreachable_pub, reason = "the macro declares public enums")]
mod tests {
    use serde::{Deserialize, Serialize};
    use serde_json::{from_str, from_value, json, to_value};

    super::tagged! {
        "is", "super::Shape", shape;
        /// A shape.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Shape {
            /// Nothing.
            Nothing,
            /// A circle.
            Circle {
                /// Its radius.
                radius: u8,
                /// Its name.
                #[serde(default, skip_serializing_if = "Option::is_none")]
                name: Option<String>,
            },
            /// Another one.
            Of(Inner),
        }
    }

    super::tagged! {
        "frame", "super::Frame", frame;
        /// What holds shapes.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Frame {
            /// Several.
            Holds {
                /// All of them.
                all: Vec<Shape>,
            },
        }
    }

    /// What a newtype holds.
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub struct Inner {
        side: u8,
    }

    fn circle(radius: u8) -> Shape {
        Shape::Circle { radius, name: None }
    }

    #[test]
    fn all_kinds_are_read_as_they_are_written_wherever_the_tag_stands() {
        let named = Shape::Circle { radius: 2, name: Some("o\u{301}\n".into()) };
        for shape in [Shape::Nothing, circle(3), named, Shape::Of(Inner { side: 4 })] {
            let text = serde_json::to_string(&shape).unwrap();
            assert_eq!(from_str::<Shape>(&text).unwrap(), shape, "{text}");
            // In a map of sorted keys others may stand before the tag.
            assert_eq!(from_value::<Shape>(to_value(&shape).unwrap()).unwrap(), shape, "{text}");
        }
        let frame = Frame::Holds { all: vec![Shape::Nothing, circle(1)] };
        assert_eq!(from_str::<Frame>(&serde_json::to_string(&frame).unwrap()).unwrap(), frame);
        assert_eq!(from_value::<Frame>(to_value(&frame).unwrap()).unwrap(), frame);
        assert_eq!(from_str::<Shape>(r#"{"radius":3,"is":"circle"}"#).unwrap(), circle(3));
        assert_eq!(from_str::<Shape>(r#"{"is":"circle","later":[1,{}],"radius":3}"#).unwrap(), circle(3));
        assert_eq!(from_str::<Shape>(r#"{"is":"nothing","later":1}"#).unwrap(), Shape::Nothing);
        assert_eq!(from_str::<Shape>(r#"{"\u0069s":"c\u0069rcle","radius":3}"#).unwrap(), circle(3));
    }

    #[test]
    fn what_is_none_of_them_says_why() {
        for (text, says) in [
            ("{}", "missing field `is`"),
            (r#"{"radius":3}"#, "missing field `is`"),
            (r#"{"is":"square"}"#, "unknown variant `square`"),
            (r#"{"is":"circle"}"#, "missing field `radius`"),
            (r#"{"is":"circle","radius":300}"#, "invalid value"),
            (r#"{"radius":300,"is":"circle"}"#, "invalid value"),
            (r#"{"is":3}"#, "a word"),
            ("[]", "an object with a field `is`"),
            (r#"{"is":"circle","radius":3"#, "EOF"),
        ] {
            let error = from_str::<Shape>(text).unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
        assert!(from_value::<Frame>(json!({ "frame": "holds", "all": [{}] })).is_err());
    }
}
