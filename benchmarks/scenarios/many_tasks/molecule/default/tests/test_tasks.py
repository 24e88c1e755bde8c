def test_the_last_settings(host):
    assert host.file("/srv/many/49/settings").contains("number = 49")
