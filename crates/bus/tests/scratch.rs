#![allow(warnings)]
use bus::*; use bytes::Bytes; use protocol::*; use std::time::*;
use protocol::subjects::Subjects;
async fn run(bus: &Bus, n: usize, label: &str) {
    let s = Subjects::new(SubjectToken::new("t").unwrap());
    let last = bus.read_last("CONTACTS").await.unwrap().map_or(0, |i| i.seq);
    let mut ap = Appender::open(bus, "CONTACTS", last);
    let (tx, mut rx) = tokio::sync::mpsc::unbounded_channel::<AppendTicket>();
    let h = tokio::spawn(async move { let mut ok=0; let mut err=None; while let Some(t)=rx.recv().await { match t.await {Ok(_)=>ok+=1, Err(e)=>{err.get_or_insert(e);}} } (ok,err) });
    let b = Instant::now();
    for i in 0..n { match ap.append(&s.contacts(), &format!("{label}-{i}"), Bytes::from(vec![7u8;512])).await { Ok(t)=>tx.send(t).unwrap(), Err(_)=>break } }
    drop(tx);
    let r = h.await.unwrap();
    println!("{label}: {r:?} in {:?} = {:.0}/s", b.elapsed(), r.0 as f64 / b.elapsed().as_secs_f64());
}
#[tokio::test(flavor="multi_thread", worker_threads=2)]
async fn r1() {
    let d = tempfile::tempdir().unwrap();
    let srv = SupervisedServer::start(d.path()).await.unwrap();
    let bus = Bus::connect(&srv.settings()).await.unwrap();
    let s = Subjects::new(SubjectToken::new("t").unwrap());
    bus.ensure_stream(&StreamSpec{name:"CONTACTS".into(),subjects:vec![s.contacts()],max_bytes:1<<30,max_age:None,max_message_bytes:1<<20,duplicate_window:Duration::from_secs(120),discard:Discard::New}).await.unwrap();
    for k in 0..3 { run(&bus, 40_000, &format!("R1 {k}")).await; }
    let b = Instant::now();
    let mut tail = Tail::open(&bus, "CONTACTS", 1, TailOptions::default()).await.unwrap();
    let mut n=0; while !tail.caught_up() { tail.next().await.unwrap(); n+=1; }
    println!("tail {n} {:.0}/s", n as f64/b.elapsed().as_secs_f64());
    let b = Instant::now();
    let mut p = std::collections::VecDeque::new();
    // one by one
    for i in 0..2000 { bus.publish_durable(&s.contacts(), &format!("o{i}"), Bytes::from(vec![7u8;512]), Deadline::after(Duration::from_secs(5))).await.unwrap(); }
    println!("one by one {:.0}/s", 2000.0/b.elapsed().as_secs_f64());
    let b = Instant::now();
    for i in 0..40000 { p.push_back(bus.publish_pipelined(&s.contacts(), &format!("p{i}"), Bytes::from(vec![7u8;512])).await.unwrap()); if p.len()>=256 { p.pop_front().unwrap().acknowledged().await.unwrap(); } }
    for x in p { x.acknowledged().await.unwrap(); }
    println!("pipelined publish {:.0}/s", 40000.0/b.elapsed().as_secs_f64());
}
#[tokio::test(flavor="multi_thread", worker_threads=2)]
async fn r3() {
    let d = tempfile::tempdir().unwrap();
    let mut kids = vec![];
    for n in 0..3u16 {
        let c = d.path().join(format!("{n}.conf"));
        std::fs::write(&c, format!("server_name: n{n}\nlisten: \"127.0.0.1:{}\"\njetstream {{ store_dir: \"{}/s{n}\", sync_interval: \"100ms\" }}\ncluster {{ name: c, listen: \"127.0.0.1:{}\", routes: [nats://127.0.0.1:17300, nats://127.0.0.1:17301, nats://127.0.0.1:17302] }}\n", 17200+n, d.path().display(), 17300+n)).unwrap();
        kids.push(std::process::Command::new("/root/.pyenv/versions/3.11.7/bin/nats-server").arg("-c").arg(&c).stderr(std::process::Stdio::null()).spawn().unwrap());
    }
    let set = BusSettings{url:"nats://127.0.0.1:17200".into(), credentials:Credentials::None, name:"x".into()};
    let bus = Bus::connect_until(&set, Deadline::after(Duration::from_secs(40))).await.unwrap();
    let js = async_nats::jetstream::new(async_nats::connect("127.0.0.1:17200").await.unwrap());
    let s = Subjects::new(SubjectToken::new("t").unwrap());
    for _ in 0..20 { match js.create_stream(async_nats::jetstream::stream::Config{name:"CONTACTS".into(), subjects: vec![s.contacts().to_string()], num_replicas:3, ..Default::default()}).await { Ok(_)=>break, Err(e)=>{println!("{e}"); tokio::time::sleep(Duration::from_millis(500)).await;} } }
    tokio::time::sleep(Duration::from_secs(1)).await;
    for k in 0..3 { run(&bus, 10_000, &format!("R3 {k}")).await; }
    let last = bus.read_last("CONTACTS").await.unwrap().unwrap().seq;
    let sub = s.contacts();
    let mut old = Appender::open(&bus, "CONTACTS", last);
    println!("{:?}", old.append(&sub, "old1", Bytes::from("x")).await.unwrap().await);
    let bus2 = Bus::connect(&BusSettings{url:"nats://127.0.0.1:17201".into(), ..set.clone()}).await.unwrap();
    let mut new = Appender::open(&bus2, "CONTACTS", last+1);
    println!("new {:?}", new.append(&sub, "fence", Bytes::from("x")).await.unwrap().await);
    let mut ts=vec![]; for i in 0..64 { match old.append(&sub, &format!("late{i}"), Bytes::from("x")).await { Ok(t)=>ts.push(t), Err(e)=>println!("{e}") } }
    let mut ok=0; for t in ts { if t.await.is_ok() {ok+=1;} }
    println!("late ok {ok}; new again {:?}; last {:?}", new.append(&sub, "new2", Bytes::from("x")).await.unwrap().await, bus.read_last("CONTACTS").await.unwrap().unwrap().seq - last);
    for mut k in kids { k.kill().unwrap(); k.wait().unwrap(); }
}
