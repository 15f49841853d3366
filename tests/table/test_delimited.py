"""Files of separated text as people have them."""

from pathlib import Path

import pytest

import instashap
from instashap.table.delimited import read_delimited
from instashap.table.recipe import Recipe


def read(folder: Path, text: str, encoding: str = "utf-8", **options):
    path = folder / "rows.csv"
    path.write_bytes(text.encode(encoding))
    return read_delimited(path, **options)


def test_plain_columns_have_their_types_and_text_stands_as_in_the_file(tmp_path):
    table = read(tmp_path, 'n,x,flag,gaps,text,zip\n1, 0.1,True,1,"1,234",00501\n-2,1e-3,false,,a b,10115\n')
    assert [str(dtype) for dtype in table.dtypes[:4]] == ["int64", "float64", "bool", "float64"]
    assert table["x"].tolist() == [0.1, 0.001]
    assert table["text"].tolist() == ["1,234", "a b"]
    assert table["zip"].tolist() == ["00501", "10115"]
    assert read(tmp_path, "n,x\n1,2\n", keep=["n"])["n"].tolist() == ["1"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings_that_say_what_they_are_are_read(tmp_path, encoding):
    assert read(tmp_path, "größe;ort\n1;Köln\n", encoding).to_dict("list") == {"größe": [1], "ort": ["Köln"]}


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_that_of_the_names(tmp_path, separator):
    lines = [["price", "a town"], ["1", "x"], ["2", "y"]]
    text = "\n".join(separator.join(cells) for cells in lines)
    assert read(tmp_path, text).to_dict("list") == {"price": [1, 2], "a town": ["x", "y"]}


def test_latin_1_is_read_with_a_warning(tmp_path):
    with pytest.warns(instashap.DataWarning, match="is not UTF-8 and is read as Western European text"):
        assert read(tmp_path, "größe;ort\n1;Köln\n", "latin-1").to_dict("list") == {"größe": [1], "ort": ["Köln"]}


@pytest.mark.parametrize("name", ["", "Unnamed: 0"])
@pytest.mark.parametrize(("labels", "index"), [("01", [0, 1]), ("73", [7, 3]), ("ab", ["a", "b"])])
def test_a_first_column_without_a_name_is_row_labels(tmp_path, name, labels, index):
    with pytest.warns(instashap.DataWarning, match="it is used as row labels"):
        table = read(tmp_path, f"{name},x\n{labels[0]},1.5\n{labels[1]},2.5\n")
    assert table.to_dict("list") == {"x": [1.5, 2.5]}
    assert table.index.tolist() == index


def test_a_first_column_without_a_name_that_repeats_or_measures_is_a_column(tmp_path):
    assert list(read(tmp_path, ",x\n1,1\n1,2\n")) == ["Unnamed: 0", "x"]
    assert list(read(tmp_path, ",x\n0.5,1\n0.7,2\n")) == ["Unnamed: 0", "x"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b,a\n1,2,3\n", "column names are repeated: 'a'; rename them"),
        ("a,b\n", "it has names but no rows"),
        ("a,b\n1,2,3\n4,5,6\n", r"its rows have more cells than there are names \(2\); name every column"),
        ("a,b\n1,2\n4,5,6\n", "Expected 2 fields in line 3, saw 3"),
        ("a,,b\n1,2,3\n", r"1 columns have no name \(the first is column 2\); name every column"),
        ("", "it is empty"),
        ("a,b,c\n1,2,3\n\n4,5\n", "line 4 has 2 cells, but the first line has 3 names; .*: complete the line or delete it"),
        ('a,b,c\n"1\n1",2,3\n4\n5,6\n', r"line 4 has 1 cell, .* 3 names \(and 1 further lines lack cells\)"),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        read(tmp_path, text)


def test_words_that_pandas_reads_as_missing_stay_text_in_columns_of_text_alone(tmp_path):
    table = read(tmp_path, "region,size,paid\nNA,1,True\nNone,NA,NA\nEU,n/a,False\n,2,True\n")
    assert table["region"].tolist()[:3] == ["NA", "None", "EU"]
    assert table.isna().to_numpy().tolist() == [[False] * 3, [False, True, True], [False, True, False], [True, False, False]]
    assert table["size"].dtype == "float64"
    assert read(tmp_path, "region,n\nNA,1\n7,2\n", keep=["region"])["region"].tolist() == ["NA", "7"]


def test_a_separator_at_the_end_of_every_line_is_no_column(tmp_path):
    assert read(tmp_path, "a,b,\n1,2,\n3,4,\n").to_dict("list") == {"a": [1, 3], "b": [2, 4]}


def test_points_are_between_thousands_where_they_cannot_be_in_decimals(tmp_path):
    # decimals of three digits would be 500.000 in such a column, or 1.23 in one without zeros at the end
    cells = ["500", *(f"{each}.{each}0" for each in range(10, 20)), "1.234.560"]
    whole = [500, *(1010 * each for each in range(10, 20))]
    for texts, numbers in ((cells, [*whole, 1234560]), (cells[:-1], whole)):
        table = read(tmp_path, "x,y\n" + "".join(f"{text},1\n" for text in texts))
        assert Recipe.learn(table).apply(table)["x"].tolist() == numbers
    for text in ("500.5", "1500", "0.123"):  # one number shows that these are decimals
        table = read(tmp_path, "x,y\n" + "".join(f"{each},1\n" for each in [*cells[:-1], text]))
        assert table["x"].tolist() == [float(each) for each in [*cells[:-1], text]]
