@echo off
rem Plain ASCII: the same bytes in GBK and in UTF-8. No brackets of blocks: the folder may be called "layout (1)".
setlocal DisableDelayedExpansion
for /f "tokens=2 delims=:." %%c in ('chcp') do set "LAYOUT_CODEPAGE=%%c"
chcp 65001 >nul
rem settings of other map programs must not reach this one
set "PROJ_LIB="
set "PROJ_DATA="
set "GDAL_DATA="
set "GDAL_DRIVER_PATH="
if "%~1"=="" goto desk
"%~dp0python\python.exe" -X utf8 -m layout %*
set "LAYOUT_CODE=%errorlevel%"
chcp %LAYOUT_CODEPAGE% >nul
exit /b %LAYOUT_CODE%
:desk
rem a double click: a window in this folder in which "layout demo" works
pushd "%~dp0"
"%~dp0python\python.exe" -X utf8 -m layout --help
cmd /k
popd
