"""Many requests at once: lists are whole, names stay unique, and of two writers one wins."""

import threading
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from support.documents import Make, document_of, path_of
from support.service import SOURCES


def test_D_31_every_one_of_many_lists_at_once_is_whole(client: httpx2.Client, make: Make) -> None:
    for _ in range(120):
        make()
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: client.get(SOURCES, params={"limit": 200}).json(), range(80)))
    assert {answer["total"] for answer in answers} == {120}


@pytest.mark.parametrize("sort", ["name", "-type,updated_at"])
def test_D_31_what_is_there_throughout_a_storm_is_on_exactly_one_page(
    client: httpx2.Client, make: Make, sort: str
) -> None:
    kept = {make(name=f"{number:02} kept of {sort}", labels={"storm": "x"})["id"] for number in range(20)}
    end = threading.Event()

    def storm(number: int) -> int:
        done = 0
        while not end.is_set():
            document = document_of(name=f"{(done * 7) % 20:02} of {sort} {number}", labels={"storm": "x"})
            made = client.post(SOURCES, json=document).json()
            client.patch(path_of(made), json={"name": f"{(done * 11) % 20:02} moved of {sort} {number}"})
            client.delete(path_of(made))
            done += 1
        return done

    def walk() -> list[str]:
        seen, url = [], f"{SOURCES}?label=storm&limit=3&sort={sort}"
        while url:
            answer = client.get(url)
            assert answer.status_code == 200, answer.text
            seen += [item["id"] for item in answer.json()["items"]]
            url = answer.headers.get("link", "<>")[1:].partition(">")[0]
        return [item for item in seen if item in kept]

    with ThreadPoolExecutor(3) as threads:
        storms = [threads.submit(storm, number) for number in range(3)]
        try:
            assert [sorted(walk()) for _ in range(4)] == [sorted(kept)] * 4
        finally:
            end.set()
        assert min(future.result() for future in storms) > 0
    for source_id in kept:
        client.delete(f"{SOURCES}/{source_id}")


def test_a_name_is_given_once_while_others_list(client: httpx2.Client) -> None:
    def request(number: int) -> int:
        if number % 3:
            return client.get(SOURCES).status_code
        return client.post(SOURCES, json=document_of(name=f"wanted {number // 36}")).status_code

    with ThreadPoolExecutor(12) as threads:
        statuses = list(threads.map(request, range(360)))
    assert statuses.count(201) == 10
    assert set(statuses) == {200, 201, 409}


def test_D_27_of_many_writers_of_one_revision_one_wins(client: httpx2.Client, make: Make) -> None:
    source = make()

    def write(number: int) -> int:
        change = {"description": f"by {number}"}
        return client.patch(path_of(source), json=change, headers={"If-Match": '"1"'}).status_code

    with ThreadPoolExecutor(8) as threads:
        statuses = list(threads.map(write, range(16)))
    assert sorted(statuses) == [200] + [412] * 15
    assert client.get(path_of(source)).json()["revision"] == 2


def test_patches_without_a_condition_are_all_applied(client: httpx2.Client, make: Make) -> None:
    source = make()
    with ThreadPoolExecutor(4) as threads:
        answers = threads.map(lambda n: client.patch(path_of(source), json={"labels": {f"k{n}": "v"}}), range(12))
    assert {answer.status_code for answer in answers} == {200}
    assert len(client.get(path_of(source)).json()["labels"]) == 12
