//! Looks at the built widget again whenever it was built anew, also when there was none before.

fn main() {
    println!("cargo::rerun-if-changed=../channel-web/widget/dist");
}
