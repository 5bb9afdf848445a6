//! `multipart/form-data` (RFC 7578): how files are handed to providers that speak HTTP.

/// A field of a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// Its name, of letters, digits and `_`.
    pub name: &'a str,
    /// What it holds.
    pub value: Value<'a>,
}

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// Words.
    Text(&'a str),
    /// A file.
    File {
        /// Its name for people.
        name: &'a str,
        /// What it is.
        media_type: &'a str,
        /// Its bytes.
        bytes: &'a [u8],
    },
}

/// Writes a form: the type of the content, and its bytes. The same fields are the same bytes.
#[must_use]
pub fn write(fields: &[Field<'_>]) -> (String, Vec<u8>) {
    let boundary = boundary(fields);
    let mut body = Vec::new();
    for Field { name, value } in fields {
        body.extend_from_slice(
            format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"").as_bytes(),
        );
        match value {
            Value::Text(text) => {
                body.extend_from_slice(b"\r\n\r\n");
                body.extend_from_slice(text.as_bytes());
            }
            Value::File { name, media_type, bytes } => {
                let head =
                    format!("; filename=\"{}\"\r\nContent-Type: {}\r\n\r\n", quoted(name), token(media_type));
                body.extend_from_slice(head.as_bytes());
                body.extend_from_slice(bytes);
            }
        }
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    (format!("multipart/form-data; boundary={boundary}"), body)
}

/// A line that stands in none of the fields (RFC 2046 5.1.1).
fn boundary(fields: &[Field<'_>]) -> String {
    let holds = |boundary: &str| {
        fields.iter().any(|field| match field.value {
            Value::Text(text) => text.contains(boundary),
            Value::File { bytes, .. } => memchr::memmem::find(bytes, boundary.as_bytes()).is_some(),
        })
    };
    let mut number = 0_u32;
    loop {
        let boundary = format!("winterband-{number:08x}");
        if !holds(&boundary) {
            return boundary;
        }
        number = number.wrapping_add(1);
    }
}

/// As browsers write it (RFC 7578 4.2, with the escapes of the HTML standard).
fn quoted(name: &str) -> String {
    let mut quoted = String::with_capacity(name.len());
    for letter in name.chars() {
        match letter {
            '"' => quoted.push_str("%22"),
            '\r' => quoted.push_str("%0D"),
            '\n' => quoted.push_str("%0A"),
            letter => quoted.push(letter),
        }
    }
    quoted
}

/// A type of media without what would end its line.
fn token(media_type: &str) -> &str {
    let is_whole = media_type.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    if is_whole && !media_type.is_empty() { media_type } else { "application/octet-stream" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_written_as_the_standard_says() {
        let file = Value::File { name: "a\"b\r\n.pdf", media_type: "application/pdf", bytes: b"%PDF" };
        let (kind, body) = write(&[
            Field { name: "chat_id", value: Value::Text("17") },
            Field { name: "document", value: file },
        ]);
        assert_eq!(kind, "multipart/form-data; boundary=winterband-00000000");
        let expected = "--winterband-00000000\r\nContent-Disposition: form-data; name=\"chat_id\"\r\n\r\n17\r\n\
            --winterband-00000000\r\nContent-Disposition: form-data; name=\"document\"; filename=\"a%22b%0D%0A.pdf\"\r\n\
            Content-Type: application/pdf\r\n\r\n%PDF\r\n--winterband-00000000--\r\n";
        assert_eq!(String::from_utf8(body).unwrap(), expected);
    }

    #[test]
    fn no_field_ends_a_form() {
        let file = Value::File {
            name: "x",
            media_type: "text/plain\r\nX: y",
            bytes: b"\r\n--winterband-00000000--",
        };
        let text = Value::Text("winterband-00000001");
        let (kind, body) = write(&[Field { name: "a", value: file }, Field { name: "b", value: text }]);
        assert_eq!(kind, "multipart/form-data; boundary=winterband-00000002");
        assert!(!String::from_utf8(body).unwrap().contains("X: y"));
    }
}
