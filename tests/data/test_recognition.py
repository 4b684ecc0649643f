"""What a file is, is told by its first bytes; what is not read is refused by name and never learned as text."""

from __future__ import annotations

import gzip
import io
import pickle
import re
import struct
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import scipy.io.wavfile
import scipy.sparse
from PIL import Image, features
from pyarrow import feather, parquet
from sklearn.datasets import dump_svmlight_file, load_svmlight_file

from isthmus import data
from isthmus.data import pillow_files, recognition
from isthmus.errors import DataError, DataTypeError

NOISE = np.random.default_rng(0).integers(0, 256, 600, dtype=np.uint8).tobytes()
NIFTI = struct.pack("<i", 348) + bytes(340) + b"n+1\0" + NOISE


def zipped(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, b"content")
    return buffer.getvalue()


# Name of the file, its first bytes, what the sentence says.
REFUSED = {
    "cells.h5ad": (b"\x89HDF\r\n\x1a\n" + NOISE, r"an HDF5 file \(AnnData\).*adata.X of anndata.read_h5ad"),
    "a.h5": (b"\x89HDF\r\n\x1a\n" + NOISE, r"an HDF5 file, which this version does not read.*h5py.File"),
    "userblock.hdf5": (bytes(512) + b"\x89HDF\r\n\x1a\n" + NOISE, "an HDF5 file"),
    "four.nc": (b"\x89HDF\r\n\x1a\n" + NOISE, "NetCDF 4.*xarray"),
    "three.nc": (b"CDF\x01" + NOISE, "a NetCDF file.*xarray"),
    "new.mat": (b"MATLAB 7.3 MAT-file, Platform".ljust(512) + b"\x89HDF\r\n\x1a\n", "MATLAB 7.3"),
    "old.mat": (b"MATLAB 5.0 MAT-file, Platform" + NOISE, "a MATLAB file.*scipy.io.loadmat"),
    "four.mat": (b"\0\0\0\0\x0a\0\0\0" + NOISE, "a MATLAB file"),
    "brain.nii": (NIFTI, "a NIfTI file.*nibabel"),
    "brain.nii.gz": (gzip.compress(NIFTI), "a NIfTI file.*nibabel"),
    "scan.dcm": (bytes(128) + b"DICM" + NOISE, "a DICOM file.*pydicom"),
    "scan": (bytes(128) + b"DICM" + NOISE, "a DICOM file"),
    "ct.dcm": (b"II*\0".ljust(128, b"\0") + b"DICM" + NOISE, "a DICOM file.*pydicom"),
    "old.dcm": (b"\x08\0\0\0" + NOISE, "a DICOM file"),
    "brain.img": (NOISE, "an image volume.*nibabel"),
    "sky.fits": (b"SIMPLE  =                    T".ljust(2880), "a FITS file.*astropy"),
    "sky.fits.gz": (gzip.compress(b"SIMPLE  =                    T".ljust(2880)), "a FITS file"),
    "sound.wav": (b"RIFF\x24\x08\0\0WAVEfmt " + NOISE, "a WAV recording.*scipy.io.wavfile.read"),
    "sound.mp3": (b"ID3\x04\0\0" + NOISE, "an MP3 recording.*soundfile"),
    "slow.mp3": (b"\xff\xe3\x48\xc4" + NOISE, "an MP3 recording"),
    "sound.aac": (b"\xff\xf1\x50\x80" + NOISE, "an AAC recording"),
    "sound.caf": (b"caff\0\1\0\0" + NOISE, "a CAF recording"),
    "sound.w64": (b"riff\x2e\x91\xcf\x11\xa5\xd6" + NOISE, "a Wave64 recording"),
    "sound.voc": (b"Creative Voice File\x1a" + NOISE, "a VOC recording"),
    "sound.flac": (b"fLaC\0\0\0\x22" + NOISE, "a FLAC recording"),
    "sound.ogg": (b"OggS\0\x02" + NOISE, "an Ogg recording"),
    "film.mp4": (b"\0\0\0\x20ftypisom" + NOISE, "an MP4 or QuickTime film.*ffmpeg"),
    "film.mkv": (b"\x1a\x45\xdf\xa3" + NOISE, "a Matroska or WebM film"),
    "phone.heic": (b"\0\0\0\x18ftypheic" + NOISE, "an HEIC image"),
    "phone.jpg": (b"\0\0\0\x18ftypheic" + NOISE, "an HEIC image"),
    "a.jp2": (b"\0\0\0\x0cjP  \r\n\x87\n" + NOISE, "a JPEG 2000 image.*opj_decompress"),
    "a.qoi": (b"qoif\0\0\0\x09" + NOISE, "a QOI image.*magick"),
    "a.jxr": (b"II\xbc\x01" + NOISE, "a JPEG XR image"),
    "a.jls": (b"\xff\xd8\xff\xe8\0\x20SPIFF" + bytes(25) + b"\xff\xf7" + NOISE, "a JPEG-LS image"),
    "a.icns": (b"icns\0\1" + NOISE, "an Apple icon"),
    "a.xcf": (b"gimp xcf v011" + NOISE, "a GIMP image"),
    "a.rgb": (b"\x01\xda\0\1\0\3" + NOISE, "an SGI image"),
    "a.pcx": (b"\x0a\x05\1\x08" + NOISE, "an image"),
    "a.emf": (b"\1\0\0\0".ljust(40, b"\0") + b" EMF\0\0\1\0" + NOISE, "a Windows metafile"),
    "a.psd": (b"8BPS\0\1" + NOISE, "a Photoshop image"),
    "a.exr": (b"\x76\x2f\x31\x01" + NOISE, "an OpenEXR image"),
    "sparse.mtx": (b"%%MatrixMarket matrix coordinate real general\n3 3 1\n1 1 2.0\n", "a Matrix Market file.*mmread"),
    "a.arff": (b"@relation iris\n@attribute a numeric\n@data\n1\n", "an ARFF file.*after @data are CSV"),
    "a.svm": (b"1 1:0.5 3:2\n0 2:1\n", "an SVMlight file.*load_svmlight_file"),
    "a.sav": (b"$FL2@(#) SPSS DATA FILE" + NOISE, "an SPSS file.*pandas.read_spss"),
    "a.dta": (b"<stata_dta><header>" + NOISE, "a Stata file.*pandas.read_stata"),
    "old.dta": (b"\x72\x02\x01\0" + NOISE, "a Stata file"),
    "a.sas7bdat": (bytes(12) + b"\xc2\xea\x81\x60" + NOISE, "a SAS file.*pandas.read_sas"),
    "a.rds": (gzip.compress(b"X\n\0\0\0\x03\0\x04" + NOISE), "an R file.*arrow::write_parquet"),
    "a.RData": (gzip.compress(b"RDX3\nX\n" + NOISE), "an R file"),
    "a.xlsx": (zipped("[Content_Types].xml", "xl/workbook.xml"), "an Excel workbook.*CSV"),
    "renamed.csv": (zipped("[Content_Types].xml", "xl/workbook.xml"), "an Excel workbook.*CSV"),
    "a.xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + NOISE, "an Excel workbook"),
    "a.ods": (zipped("mimetype", "content.xml"), "an OpenDocument file"),
    "a.docx": (zipped("[Content_Types].xml", "word/document.xml"), "a Word document"),
    "a.pdf": (b"%PDF-1.7\n" + NOISE, "a PDF document"),
    "a.zip": (zipped("photos/1.png"), "a ZIP archive.*unzip"),
    "a.7z": (b"7z\xbc\xaf\x27\x1c" + NOISE, "a 7z archive"),
    "a.rar": (b"Rar!\x1a\x07\x01\0" + NOISE, "a RAR archive"),
    "a.tar": (b"name".ljust(257, b"\0") + b"ustar\x0000" + NOISE, "a tar archive"),
    "a.tar.gz": (gzip.compress(b"name".ljust(257, b"\0") + b"ustar\x0000" + NOISE), "a tar archive"),
    "a.tgz": (gzip.compress(b"name".ljust(257, b"\0") + b"ustar\x0000" + NOISE), "a tar archive"),
    "a.csv.zst": (b"\x28\xb5\x2f\xfd" + NOISE, "packed with Zstandard.*zstd -d"),
    "a.csv.xz": (b"\xfd7zXZ\0" + NOISE, "packed with xz"),
    "a.csv.bz2": (b"BZh91AY&SY" + NOISE, "packed with bzip2"),
    "packed.csv": (gzip.compress(b"a,b\n1,2\n"), r"packed with gzip.*ends in \.gz"),
    "a.pkl": (pickle.dumps({"a": 1}), "a Python pickle.*may run code"),
    "a.joblib": (b"\x78\x9c" + NOISE, "a Python pickle"),
    "a.pt": (zipped("archive/data.pkl"), "a PyTorch file"),
    "old.pth": (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19." + NOISE, "a Python pickle"),
    "a.safetensors": (struct.pack("<Q", 64) + b'{"a":{}}' + NOISE, "a safetensors file.*holds a model"),
    "a.onnx": (b"\x08\x07\x12" + NOISE, "an ONNX model"),
    "a.gguf": (b"GGUF\x03\0\0\0" + NOISE, "a GGUF file"),
    "a.db": (b"SQLite format 3\0" + NOISE, "an SQLite database.*pandas.read_sql"),
    "a.orc": (b"ORC\x0a" + NOISE, "an ORC file.*pandas.read_orc"),
    "a.avro": (b"Obj\x01" + NOISE, "an Avro file.*polars.read_avro"),
    "a.las": (b"LASF\0\0" + NOISE, "a LAS point cloud"),
    "a.tfrecord": (b"\x18\0\0\0\0\0\0\0" + NOISE, "a TFRecord file"),
    "a.so": (b"\x7fELF\x02\x01" + NOISE, "a program.*as_bytes=True"),
    "a.npy.gz": (gzip.compress(b"\x93NUMPY\1\0" + NOISE), r"\.npy files are not read packed"),
    "a.dat.gz": (gzip.compress(b"\x93NUMPY\1\0" + NOISE), "packed with gzip.*gunzip"),
    "records.json": (b'[{"a": 1},\n {"a": 2}]', "a JSON document.*jq -c"),
}  # fmt: skip


@pytest.mark.parametrize("name", list(REFUSED))
def test_known_formats_are_refused_by_name(tmp_path: Path, name: str) -> None:
    content, sentence = REFUSED[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=sentence) as caught:
        data.open(tmp_path / name)
    assert name in str(caught.value)
    assert str(caught.value).count("\n") == 0
    # Whoever wants the bytes asks for them.
    if not name.endswith("gz"):
        assert b"".join(data.open(tmp_path / name, as_bytes=True).chunk(0, 10**6)) == content


def test_texts_that_begin_like_a_format_are_texts(tmp_path: Path) -> None:
    for number, text in enumerate(
        ["BMW builds cars", "MZ is a prefix", "ID3 is a tag", "PAR1 and PAR2", "ORC, elf", "GRIB is weather",
         "P1 is one", "DUCKDUCKDUCK", "Zürich\nist schön", "RIFFs", "{not", "", "\ufeffwith a mark", "\x1b[1mbold"]
    ):  # fmt: skip
        path = tmp_path / f"{number}.txt"
        path.write_text(text + "\n", encoding="utf-8")
        opened = data.open(path)
        assert opened.schema.kind == "text"
        assert len(opened.notes) == 1
    (tmp_path / "ids.tsv").write_bytes(b"P1\t34\t70\nP2\t35\t71\nP1\t36\t72\n")
    assert data.open(tmp_path / "ids.tsv").schema.kind == "table"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "latin-1", "cp1252"])
def test_encodings_are_text(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.txt").write_bytes(("Grüße aus Zürich, à bientôt. " * 9).encode(encoding))
    assert len(data.open(tmp_path / "a.txt").notes) == 1


@pytest.mark.parametrize(
    "content", [b"\x03\x01" + NOISE, "\u4f60\u597d".encode("gbk") * 9, "plain".encode("utf-16-le")]
)
def test_bytes_of_no_known_format_are_learned_where_they_are_asked_for(tmp_path: Path, content: bytes) -> None:
    for name in ("a.bin", "a", "a.txt"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=f"'{tmp_path / name}' looks neither like text nor.*give as_bytes=True"):
            data.open(tmp_path / name)
        opened = data.open(tmp_path / name, as_bytes=True)
        assert b"".join(opened.chunk(0, len(opened))) == content
        assert len(opened.notes) == 1


def test_a_saved_sparse_matrix_is_named(tmp_path: Path) -> None:
    for kind in ("csr", "csc", "coo", "bsr", "dia"):
        scipy.sparse.save_npz(tmp_path / "x.npz", scipy.sparse.eye(4, format=kind))
        with pytest.raises(
            DataError, match=r"x.npz' is a sparse matrix, which .* scipy.sparse.load_npz\(FILE\).toarray"
        ):
            data.open(tmp_path / "x.npz")
    assert len(data.open(scipy.sparse.load_npz(tmp_path / "x.npz").toarray())) == 4


@pytest.mark.parametrize(
    ("inside", "sentence"),
    [
        ("zarr.json", "a Zarr store"),
        (".zgroup", "a Zarr store"),
        ("data.mdb", "an LMDB database"),
        ("saved_model.pb", "a TensorFlow model"),
        ("_delta_log/0.json", "a Delta table"),
    ],
)
def test_folders_that_are_one_thing_are_refused_by_name(tmp_path: Path, inside: str, sentence: str) -> None:
    (tmp_path / "f" / inside).parent.mkdir(parents=True)
    (tmp_path / "f" / inside).write_text("{}")
    Image.new("L", (3, 3)).save(tmp_path / "f" / "a.png")
    with pytest.raises(DataError, match=sentence):
        data.open(tmp_path / "f")


def test_a_folder_of_a_known_format_says_so(tmp_path: Path) -> None:
    (tmp_path / "0-read-me.txt").write_text("scans of today")
    for number in range(3):
        (tmp_path / f"{number}.dcm").write_bytes(REFUSED["scan.dcm"][0])
    with pytest.raises(DataError, match="a DICOM file"):
        data.open(tmp_path)


def test_lists_of_file_names_are_no_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = []
    for number in range(3):
        names.append(str(tmp_path / f"{number}.png"))
        Image.new("L", (3, 3)).save(names[-1])
    with pytest.raises(DataTypeError, match="the 3 texts of this list are names of files"):
        data.open(names)
    with pytest.raises(DataTypeError, match="give a list of Path objects"):
        data.open([*names, str(tmp_path / "none.png")])
    # Both ways out that the sentence names work.
    assert data.open([Path(name) for name in names]).schema.kind == "image"
    assert data.open([name.encode() for name in names]).schema.kind == "text"
    monkeypatch.chdir(tmp_path)
    assert data.open(["0.png", "is", "a", "name", "\0", "x" * 5000]).schema.kind == "text"


def test_the_advice_works(tmp_path: Path) -> None:
    matrix = np.array([[0.0, 1.5, 0.0], [2.0, 0.0, 0.0]])
    scipy.io.mmwrite(tmp_path / "a.mtx", scipy.sparse.coo_matrix(matrix))
    scipy.io.savemat(tmp_path / "a.mat", {"x": matrix})
    scipy.io.wavfile.write(tmp_path / "a.wav", 8000, np.arange(12, dtype=np.int16).reshape(6, 2))
    dump_svmlight_file(matrix, np.array([1, 0]), str(tmp_path / "a.svm"), zero_based=False)
    for name, found in (
        ("a.mtx", lambda path: scipy.io.mmread(path).toarray()),
        ("a.mat", lambda path: scipy.io.loadmat(path)["x"]),
        ("a.wav", lambda path: scipy.io.wavfile.read(path)[1]),
        ("a.svm", lambda path: load_svmlight_file(str(path), n_features=3)[0].toarray()),
    ):
        with pytest.raises(DataError, match="open the array that"):
            data.open(tmp_path / name)
        assert data.open(found(tmp_path / name)).schema.kind == "array"
    arff = b"@relation r\n@attribute x numeric\n@DATA\n1.5,a\n2.5,b\n"
    (tmp_path / "a.csv").write_bytes(re.sub(rb"(?si)\A.*?@data\n", b"", arff))  # as sed does
    assert data.open(tmp_path / "a.csv", header=False).chunk(0, 2).column(0).to_pylist() == [1.5, 2.5]


@pytest.mark.parametrize(("flags", "bits"), [(0x00, 0), (0x40, 10), (0x60, 12)])
def test_avif_of_more_than_eight_bits_is_told(tmp_path: Path, flags: int, bits: int) -> None:
    (tmp_path / "a.avif").write_bytes(b"\0\0\0\x20ftypavif" + bytes(40) + b"av1C" + bytes([0x81, 0, flags, 0]))
    assert pillow_files.avif_bits(tmp_path / "a.avif") == bits


# --- read as what they are ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["photo", "photo.dat", "photo.txt", "photo.jpg"])
def test_pictures_are_known_by_their_content(tmp_path: Path, name: str) -> None:
    array = np.arange(12, dtype=np.uint8).reshape(3, 4)
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "PNG")
    (tmp_path / name).write_bytes(buffer.getvalue())
    opened = data.open(tmp_path / name)
    np.testing.assert_array_equal(opened.take([0])[0], array)
    (note,) = opened.notes
    if name == "photo.jpg":
        assert note.endswith("than their suffix says, and were read as what they are ('photo.jpg' is PNG).")
    else:
        assert note == f"{name} is PNG by its first bytes and was read as that."


@pytest.mark.parametrize("suffix", ["", ".dat"])
def test_folders_of_pictures_without_a_suffix(tmp_path: Path, suffix: str) -> None:
    for number in range(3):
        Image.new("L", (3, 3), number).save(tmp_path / f"{number}{suffix}", "PNG")
    assert data.open(tmp_path).array[:, 0, 0].tolist() == [0, 1, 2]


def test_arrays_and_tables_are_known_by_their_content(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.eye(3))
    np.savez(tmp_path / "b.npz", X=np.eye(3))
    parquet.write_table(pa.table({"x": [1, 2]}), tmp_path / "c.parquet")
    for name, kind in (("a.npy", "array"), ("b.npz", "array"), ("c.parquet", "table")):
        for other in ("x.dat", "x", "x.csv"):
            (tmp_path / other).write_bytes((tmp_path / name).read_bytes())
            opened = data.open(tmp_path / other)
            assert opened.schema.kind == kind
            assert "by its first bytes and was read as that" in opened.notes[0]


@pytest.mark.parametrize("suffix", [".gif", ".avif", ".webp", ".png"])
def test_frames_are_records(tmp_path: Path, suffix: str) -> None:
    if suffix == ".avif" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    frames = [Image.new("RGB", (8, 8), (value, value, value)) for value in (10, 100, 200, 250)]
    frames[0].save(tmp_path / f"a{suffix}", save_all=True, append_images=frames[1:])
    opened = data.open(tmp_path / f"a{suffix}")
    assert opened.names == [f"a{suffix}#{number}" for number in range(4)]
    assert any("frames of files that hold several; each is a record" in note for note in opened.notes)
    np.testing.assert_allclose(opened.array[:, 0, 0, 0], [10, 100, 200, 250], atol=3)
    np.testing.assert_array_equal(opened.take([2, 0, 3])[0], opened.array[2])


def test_single_gif_and_avif(tmp_path: Path) -> None:
    colours = np.zeros((4, 6, 3), np.uint8)
    colours[:2] = (255, 0, 0)
    Image.fromarray(colours).save(tmp_path / "a.gif")
    np.testing.assert_array_equal(data.open(tmp_path / "a.gif").array[0], colours)
    if features.check("avif"):
        Image.fromarray(colours).save(tmp_path / "a.avif", quality=100)
        assert data.open(tmp_path / "a.avif").schema.shape == (4, 6, 3)


@pytest.mark.parametrize("form", ["file", "stream", "feather", "lz4"])
def test_arrow_files_and_streams(tmp_path: Path, form: str) -> None:
    table = pa.table({"x": pa.array([1, None, 2**60 + 1]), "c": pa.array(["a", None, "b"]).dictionary_encode()})
    path = tmp_path / {"file": "t.arrow", "stream": "t.arrows"}.get(form, "t.feather")
    if form in ("file", "stream"):
        with pa.OSFile(str(path), "wb") as sink:
            writer = (pa.ipc.new_file if form == "file" else pa.ipc.new_stream)(sink, table.schema)
            with writer:
                writer.write_table(table)
    else:
        feather.write_feather(table, path, compression="lz4" if form == "lz4" else "uncompressed")
    for name in (path, tmp_path / "renamed.dat"):
        name.write_bytes(path.read_bytes())
        opened = data.open(name)
        assert opened.schema.kind == "table"
        assert opened.take([0, 1, 2]).to_pylist() == table.to_pylist()
    labelled = data.open(path, label_column="c")
    assert [column.name for column in labelled.schema.columns] == ["x"]
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match="truncated or no Arrow file"):
        data.open(path)


def test_every_signature_is_told_apart() -> None:
    for at, magic, found in recognition.SIGNATURES:
        head = bytearray(at + len(magic)) + b"\0\x01\xff" + NOISE
        head[at : at + len(magic)] = magic
        known = recognition.recognise(bytes(head))
        assert known is not None
        assert known.name.split()[:2] == found.name.split()[:2]
        assert found.reader or found.advice
