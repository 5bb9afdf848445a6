//! Looks at the built desk again whenever it was built anew, also when there was none before.

fn main() {
    println!("cargo::rerun-if-changed=web/dist");
}
