//! Started as a service manager does it: with sockets that are bound already, and with somebody who waits to hear that it serves.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command};
use std::time::Duration;

use system_tests::lines::LineClient;
use system_tests::wait_for_value;

const ACTIVATE: &str = "/usr/bin/systemd-socket-activate";
/// Longer than a start takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Ends what a failed test left.
struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        // Fails when it has ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn heard(manager: &UnixDatagram) -> String {
    let mut message = [0; 4096];
    let length = manager
        .recv(&mut message)
        .expect("the service says something in time");
    String::from_utf8_lossy(&message[..length]).into_owned()
}

#[test]
fn sockets_are_taken_over_and_the_manager_hears_of_start_reload_and_stop() {
    if !testkit::skip::has_program(ACTIVATE, "systemd") {
        return;
    }
    let sandbox = super::stopped_system();
    let place = sandbox.scratch().join("notify");
    let manager = UnixDatagram::bind(&place).expect("a socket");
    manager.set_read_timeout(Some(PATIENCE)).expect("set");
    std::fs::set_permissions(&place, std::fs::Permissions::from_mode(0o777)).expect("it is ours");
    let directory = sandbox.config_directory();
    let serve = sandbox.command("serve", &["--single", "-c", &directory.to_string_lossy()]);
    let smtp = sandbox.ports().smtp;
    let mut command = Command::new(ACTIVATE);
    command
        .env("NOTIFY_SOCKET", &place)
        .args(["-E", "NOTIFY_SOCKET", "-l", &format!("127.0.0.1:{smtp}")])
        .arg(serve.get_program())
        .args(serve.get_args());
    let mut started = Started(command.spawn().expect("started"));
    // The program starts with the first connection, and could not bind that port itself.
    let connect = || LineClient::try_connect(smtp).ok();
    let mut client = wait_for_value("the manager to listen", connect);
    assert!(client.smtp("").starts_with("220 "));
    assert_eq!(heard(&manager), "READY=1\n");
    assert_eq!(sandbox.run("postfix", &["reload"], "").code, Some(0));
    assert!(heard(&manager).starts_with("RELOADING=1\nMONOTONIC_USEC="));
    assert_eq!(heard(&manager), "READY=1\n");
    drop(client);
    assert_eq!(sandbox.run("postfix", &["stop"], "").code, Some(0));
    assert_eq!(heard(&manager), "STOPPING=1\n");
    assert!(started.0.wait().expect("our own child").success());
}
