use super::*;
use crate::fold::Conversations;
use crate::sample;

fn store(folder: &tempfile::TempDir) -> Store<Conversations> {
    Store::open(folder.path().join("views/views.sqlite")).unwrap()
}

#[test]
fn the_cursor_moves_with_the_rows_and_never_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(&folder);
    assert_eq!(store.progress().unwrap(), Progress { log_seq: 0, origin: None });
    let rows = sample::conversation();
    let last = rows.last().unwrap().origin.seq;
    assert_eq!(store.apply(&rows).unwrap(), last);
    assert_eq!(store.apply(&rows).unwrap(), last, "the same again changes nothing");
    let progress = store.progress().unwrap();
    assert_eq!(progress, Progress { log_seq: last, origin: Some(rows[0].origin.clone()) });
    drop(store);
    let store = self::store(&folder);
    assert_eq!(store.progress().unwrap(), progress, "it is kept over a restart");
}

#[test]
fn only_this_user_reads_the_files_whatever_was_there_before() {
    use std::os::unix::fs::PermissionsExt as _;
    let open_to_all = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let folder = tempfile::tempdir().unwrap();
    let views = folder.path().join("views");
    std::fs::create_dir(&views).unwrap();
    open_to_all(&views, 0o755);
    let assert_private = |when: &str| {
        let files: Vec<_> = std::fs::read_dir(&views).unwrap().map(|file| file.unwrap()).collect();
        assert!(files.len() >= 3, "{when}: the file, its journal and its index");
        for file in files {
            let mode = file.metadata().unwrap().permissions().mode();
            assert_eq!(mode & OTHERS, 0, "{when}: {:?}", file.file_name());
        }
    };
    let mut store = self::store(&folder);
    store.apply(&sample::conversation()).unwrap();
    assert_private("made in a folder that was there");
    for file in std::fs::read_dir(&views).unwrap() {
        open_to_all(&file.unwrap().path(), 0o644);
    }
    let again = self::store(&folder);
    assert_private("found as an earlier version made it");
    let _again = again.rebuild("a test wants it").unwrap();
    assert_private("made anew");
}

#[test]
fn a_failed_batch_leaves_rows_and_cursor_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(&folder);
    let rows = sample::conversation();
    store.apply(&rows[..2]).unwrap();
    store.connection.execute_batch("DROP TABLE contacts").unwrap();
    let before = store.progress().unwrap();
    assert!(store.apply(&rows[2..]).is_err());
    assert_eq!(store.progress().unwrap(), before);
}

#[test]
fn a_full_disk_passes_and_nothing_is_half_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(&folder);
    let rows = sample::long_conversation(200, &"x".repeat(4096));
    store.apply(&rows[..1]).unwrap();
    let pages: i64 = store.connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    let pages_max = |store: &Store<Conversations>, most: i64| {
        store.connection.pragma_update(None, "max_page_count", most)
    };
    pages_max(&store, pages).unwrap();
    let error = store.apply(&rows).unwrap_err();
    assert!(error.may_pass(), "{error}");
    assert_eq!(store.progress().unwrap().log_seq, 1);
    pages_max(&store, 1 << 30).unwrap();
    assert_eq!(store.apply(&rows).unwrap(), 200);
}

#[test]
fn a_file_that_is_damaged_within_is_removed_when_that_shows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("views/views.sqlite");
    let mut first = store(&folder);
    first.apply(&sample::long_conversation(50, "x")).unwrap();
    let root = "SELECT rootpage FROM sqlite_schema WHERE name = 'entries'";
    let root: u32 = first.connection.query_row(root, [], |row| row.get(0)).unwrap();
    let root = usize::try_from(root).unwrap();
    drop(first);
    let mut bytes = std::fs::read(&path).unwrap();
    // What says which tables there are stays: it is what opening looks at.
    bytes[(root - 1) * 4096..root * 4096].fill(0xff);
    std::fs::write(&path, bytes).unwrap();
    let damaged = Store::<Conversations>::open(path.clone())
        .and_then(|mut store| store.apply(&sample::long_conversation(60, "x")));
    assert!(damaged.is_err());
    let mut again = store(&folder);
    assert_eq!(again.progress().unwrap().log_seq, 0);
    again.apply(&sample::long_conversation(60, "x")).unwrap();
}

#[test]
fn another_schema_version_is_built_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = store(&folder);
    first.apply(&sample::conversation()).unwrap();
    first.connection.pragma_update(None, "user_version", Conversations::VERSION + 1).unwrap();
    drop(first);
    assert_eq!(store(&folder).progress().unwrap(), Progress { log_seq: 0, origin: None });
}

#[test]
fn a_file_that_is_no_database_is_built_again() {
    let folder = tempfile::tempdir().unwrap();
    drop(store(&folder));
    std::fs::write(folder.path().join("views/views.sqlite"), [b'x'; 8192]).unwrap();
    assert_eq!(store(&folder).progress().unwrap().log_seq, 0);
}

#[test]
fn a_deleted_file_gives_the_same_rows_again() {
    let folder = tempfile::tempdir().unwrap();
    let rows = sample::conversation();
    let mut first = store(&folder);
    first.apply(&rows).unwrap();
    let before = sample::dump(&first.connection);
    let mut again = first.rebuild("a test").unwrap();
    assert_ne!(sample::dump(&again.connection), before);
    for row in rows.chunks(1) {
        again.apply(row).unwrap();
    }
    assert_eq!(sample::dump(&again.connection), before);
}

#[test]
fn the_file_forgets_what_is_deleted_and_waits_for_nobodys_disk() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    let pragma = |name: &str| -> String {
        store
            .connection
            .pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0))
            .map(|value| format!("{value:?}"))
            .unwrap()
    };
    assert_eq!(pragma("secure_delete"), "Integer(1)");
    assert_eq!(pragma("synchronous"), "Integer(1)");
    assert_eq!(pragma("journal_mode"), "Text(\"wal\")");
    assert!(store.path.exists());
}
