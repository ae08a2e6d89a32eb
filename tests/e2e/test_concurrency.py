"""Many requests at once: lists are whole, names stay unique, and of two writers one wins."""

from concurrent.futures import ThreadPoolExecutor

import httpx2

from support.documents import Make, document_of, path_of
from support.service import SOURCES


def test_D_31_every_one_of_many_lists_at_once_is_whole(client: httpx2.Client, make: Make) -> None:
    for _ in range(120):
        make()
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: client.get(SOURCES, params={"limit": 200}).json(), range(80)))
    assert {answer["total"] for answer in answers} == {120}


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
