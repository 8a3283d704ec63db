import socket
import urllib.request

import pytest
from demonstrations import SETTINGS, SOURCE

from trailkit.demos.store import DemoStore
from trailkit.demos.teleop.browser import BrowserDevice
from trailkit.envs.errors import UserError


@pytest.fixture
def store(tmp_path):
    return DemoStore.create(tmp_path / "demos", SETTINGS, SOURCE)


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    ("host", "port", "why"),
    [("a..b", 0, "label empty or too long"), ("127.0.0.1", 65536, "0-65535"), ("192.0.2.1", 0, "assign")],
)
def test_an_address_that_makes_no_sense_is_refused_with_the_reason(store, host, port, why):
    with pytest.raises(UserError, match=f"teleop.host={host} teleop.port={port} cannot be listened on .*{why}"):
        BrowserDevice(store, host, port)


@pytest.mark.timeout(20)
def test_a_page_that_cannot_be_served_is_refused(store, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match="No such file or directory"):
        BrowserDevice(store, port=0)


def test_a_free_port_is_named(store):
    device = BrowserDevice(store, port=0)
    assert device.url.startswith(f"http://127.0.0.1:{device.port}/?token=")
    device.close()


def test_where_all_addresses_are_listened_on_this_machines_own_is_printed(store, caplog):
    device = BrowserDevice(store, "0.0.0.0", 0)
    assert "0.0.0.0" not in device.url
    assert "its token travels in clear text" in caplog.text
    with urllib.request.urlopen(device.url, timeout=5) as answer:
        assert answer.status == 200
    device.close()


def test_without_a_network_this_machines_name_is_printed(store, monkeypatch):
    def connect(*_):
        raise OSError("Network is unreachable")

    monkeypatch.setattr(socket.socket, "connect", connect)
    device = BrowserDevice(store, "0.0.0.0", 0)
    assert device.url.startswith(f"http://{socket.gethostname()}:{device.port}/?token=")
    device.close()


def test_of_a_page_that_only_this_machine_reaches_nothing_is_said(store, caplog):
    BrowserDevice(store, port=0).close()
    assert not caplog.text


def _has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as each:
            each.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.skipif(not _has_ipv6(), reason="this machine has no IPv6")
def test_an_ipv6_address_can_be_opened_as_it_is_printed(store):
    device = BrowserDevice(store, "::1", 0)
    assert device.url.startswith(f"http://[::1]:{device.port}/?token=")
    with urllib.request.urlopen(device.url) as answer:
        assert answer.status == 200
    device.close()
